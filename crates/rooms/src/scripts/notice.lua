-- Says something to everybody in a room.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, text
--
-- Returns  {'OK', '{}'}
--          {'NOT_LIVE'}  nobody would hear it
-- Events   room:notice

--- @include "settle"

local room = open(call.roomId)
settle(room)
schedule(room)
if not room.is_live then
  return { 'NOT_LIVE' }
end
publish(room, 'room:notice', { groupId = room.id, text = call.text }, {})
return { 'OK', '{}' }
