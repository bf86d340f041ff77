-- Prolongs the lease of a bridge node in one shard, or ends it when the node says goodbye.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: nodeId, isLeaving
--
-- Returns  {'OK', JSON {held}}: whether the node had a lease. If not, all its connections were taken for lost
-- Events   room:participantReconnecting, for each connection that is lost by it

if call.isLeaving then
  -- The sweep takes the rest: a goodbye must not hold up the shard.
  if redis.call('ZSCORE', LEASES, call.nodeId) then
    redis.call('ZADD', LEASES, now, call.nodeId)
    lapse_node(call.nodeId, 100)
  end
  return { 'OK', cjson.encode({ held = false }) }
end

local held = has_lease(call.nodeId)
if not held then
  -- It ran out and the sweep has not come yet: what the node held is lost first, or the new lease would revive
  -- connections that others may have been told are gone.
  while lapse_node(call.nodeId, 1000) == 1000 do end
end
redis.call('ZADD', LEASES, now + settings.leaseMs, call.nodeId)
remember_node(call.nodeId)
return { 'OK', cjson.encode({ held = held and true or false }) }
