-- Ends a room's session now.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', '{}'}  also for a room that is not live
--
-- Events   whatever was overdue; then
--          room:ended  the session was live

--- @include "settle"

local room = load_settled_room(call.roomId)
if room.is_live then
  end_session(room, 'ended')
end
-- Frees the lock that revise.lua took.
redis.call('DEL', build_key('revising', room.id))
return { 'OK', '{}' }
