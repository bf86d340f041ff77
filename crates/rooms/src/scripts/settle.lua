-- Brings a room up to now: whatever is overdue happens.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers, chatMs, codeMs
-- ARGV[2]  call of the script that found something overdue: roomId; nodeId?: a node that needs a lease, so that a lease
--          of the node that has ended is expired in the whole shard
--
-- Returns  {'OK', '{}'}
--          {'AGAIN'}     the room is not settled yet
--
-- Events   whatever was overdue

--- @include "node_expiry"

if call.nodeId and not expire_ended_lease(call.nodeId) then
  return AGAIN
end
if not settle_and_schedule(load_room(call.roomId)) then
  return AGAIN
end
return { 'OK', '{}' }
