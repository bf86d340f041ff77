-- Publishes an operator's text to all members of a room.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId, text
--
-- Returns  {'OK', '{}'}  the text is published
--          {'NOT_LIVE'}  the room is not live, so nobody would get the text
--          {'SETTLE'}    something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:notice  the room is live

--- @include "layout"
--- @include "publish"
--- @include "settled"

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_LIVE' }
end
publish(room, 'room:notice', { groupId = room.public_id, text = call.text }, {})
return { 'OK', '{}' }
