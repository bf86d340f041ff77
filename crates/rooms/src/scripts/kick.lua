-- Puts a member out of a room. The session's definition may let them in again.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, userId
--
-- Returns  {'OK', '{}'}, also when the user is not in the room
-- Events   room:removed to the user's connections, room:participantsChanged, room:hostChanged

--- @include "settle"

local room = open(call.roomId)
settle(room)
if room.is_live and presence_of(room, call.userId) then
  put_out(room, { call.userId })
end
schedule(room)
return { 'OK', '{}' }
