-- Prolongs the lease of a bridge node in one shard, or ends it when the node says goodbye.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: nodeId, isLeaving
--
-- Returns  {'OK', JSON {since}}: since when the node has had its lease without a break. When that has changed, all
--          connections that the node held before were taken for lost
-- Events   room:participantReconnecting, for each connection that is lost by it

--- @include "lapse"

if call.isLeaving then
  -- The sweep takes the rest: a goodbye must not hold up the shard.
  if redis.call('ZSCORE', LEASES, call.nodeId) then
    redis.call('ZADD', LEASES, 'LT', now, call.nodeId)
    lapse_node(call.nodeId, 100)
  end
  return { 'OK', cjson.encode({ since = 0 }) }
end

lapse_ended_lease(call.nodeId)
ensure_lease(call.nodeId)
redis.call('ZADD', LEASES, now + settings.leaseMs, call.nodeId)
return { 'OK', cjson.encode({ since = tonumber(redis.call('HGET', LEASED_SINCE, call.nodeId)) }) }
