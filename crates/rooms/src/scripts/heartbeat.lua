-- Prolongs the lease of a bridge node in one shard, or ends the lease of a node that stops.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: nodeId, isLeaving
--
-- Returns  {'OK', JSON {since}}  since: start of the node's unbroken lease, 0 for a node that stops. A start that
--                                differs from the last reply's means that all earlier connections count as lost
--          {'AGAIN'}             a room of the node is not settled yet
--
-- Events   whatever was overdue in rooms of a node whose lease has ended; among it
--          room:participantReconnecting  a member lost the last connection

--- @include "node_expiry"

local lease_end = load_lease_end(call.nodeId)
if call.isLeaving and lease_end then
  save_lease_end(call.nodeId, math.min(now, lease_end))
end
if not expire_ended_lease(call.nodeId) then
  return AGAIN
end
if call.isLeaving then
  return { 'OK', cjson.encode({ since = 0 }) }
end
ensure_lease(call.nodeId)
save_lease_end(call.nodeId, now + settings.leaseMs)
set_node_ttl(call.nodeId)
return { 'OK', cjson.encode({ since = tonumber(redis.call('HGET', LEASED_SINCE, call.nodeId)) }) }
