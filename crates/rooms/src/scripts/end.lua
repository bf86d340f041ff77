-- Ends a room's session now.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', '{}'}, also when the room is not live
-- Events   room:ended

--- @include "settle"

local room = open(call.roomId)
settle(room)
if room.is_live then
  finish(room, 'ended')
end
redis.call('DEL', key_of('revising', room.id))
return { 'OK', '{}' }
