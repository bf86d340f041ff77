-- Removes a member from a room against the member's will. The session definition may admit the user again.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId, userId
--
-- Returns  {'OK', '{}'}        the member is removed
--          {'NOT_LIVE'}        the room is not live
--          {'NO_SUCH_MEMBER'}  the user is not in the room
--          {'SETTLE'}          something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:removed              to each connection of the member
--          room:participantsChanged  the member is removed
--          room:hostChanged          the member was host

--- @include "layout"
--- @include "removal"
--- @include "settled"

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_LIVE' }
end
if not load_presence(room, call.userId) then
  return { 'NO_SUCH_MEMBER' }
end
kick_members(room, { call.userId })
schedule(room)
return { 'OK', '{}' }
