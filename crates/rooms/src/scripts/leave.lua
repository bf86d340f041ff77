-- Removes a member from a room for good, or only one connection of a member with several.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}  also for an entry that is not current, which changes nothing but is closed from now on
--          {'SETTLE'}    something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:participantsChanged  the member's last connection leaves
--          room:hostChanged          the member was host

--- @include "layout"
--- @include "removal"
--- @include "settled"

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local presence = load_presence(room, call.userId)
local index = presence and find_entry(presence, call.entryId)
if index and #presence.entries > 1 then
  drop_entry(room, presence, index)
  save_presence(room, call.userId, presence)
elseif index then
  remove_members(room, { call.userId }, 'left')
else
  -- An unconfirmed join may still arrive and must not enter then.
  close_entry(room, call.entryId)
end
-- A live room has the same deadline as before: whoever has a connection is in no grace period.
return not room.is_live and hand_over(room.id) or { 'OK', '{}' }
