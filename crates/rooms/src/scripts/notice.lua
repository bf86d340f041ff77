-- Publishes an operator's text to all members of a room.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId, text
--
-- Returns  {'OK', '{}'}  the text is published
--          {'NOT_LIVE'}  the room is not live, so nobody would get the text
--          {'AGAIN'}     the room is not settled yet
--
-- Events   whatever was overdue; then
--          room:notice  the room is live

--- @include "settle"

local room = load_settled_room(call.roomId)
if not room then
  return AGAIN
end
schedule(room)
if not room.is_live then
  return { 'NOT_LIVE' }
end
publish(room, 'room:notice', { groupId = room.public_id, text = call.text }, {})
return { 'OK', '{}' }
