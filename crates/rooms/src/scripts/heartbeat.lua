-- Prolongs the lease of a bridge node in one shard, or ends the lease of a node that stops.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: nodeId, isLeaving, isFirst (whether this is the first shard)
--
-- Returns  {'OK', JSON {since, nextDue?, rank?, shards?}}  since: start of the node's unbroken lease, 0 for a node that stops. A
--                                                 start that differs from the last reply's means that all earlier
--                                                 connections count as lost; nextDue {asOf, dueAt?}: the shard's next
--                                                 deadline; rank: number of living nodes with an earlier start;
--                                                 shards: number of all shards; both from the first shard only
--          {'AGAIN'}                              a room of the node is not settled yet
--
-- Events   whatever was overdue in rooms of a node whose lease has ended; among it
--          room:participantReconnecting  a member lost the last connection

--- @include "layout"
--- @include "node_expiry"

-- Most nodes that a rank counts. Beyond them, several nodes have the same rank.
local MAX_RANK = 1000

local function find_rank(since)
  local nodes = redis.call('ZRANGE', LEASES, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, MAX_RANK)
  local rank = 0
  for _, start in ipairs(redis.call('HMGET', LEASED_SINCE, unpack(nodes))) do
    if start and tonumber(start) < since then
      rank = rank + 1
    end
  end
  return rank
end

local lease_end = load_lease_end(call.nodeId)
if call.isLeaving and lease_end then
  save_lease_end(call.nodeId, math.min(now, lease_end))
end
if not expire_ended_lease(call.nodeId) then
  return AGAIN
end
if call.isLeaving then
  return { 'OK', cjson.encode({ since = 0, shards = call.isFirst and count_shards() or nil }) }
end
ensure_lease(call.nodeId)
save_lease_end(call.nodeId, now + settings.leaseMs)
set_node_ttl(call.nodeId)
local since = tonumber(redis.call('HGET', LEASED_SINCE, call.nodeId))
local reply = { since = since, nextDue = build_next_due(find_next_deadline()) }
if call.isFirst then
  reply.rank, reply.shards = find_rank(since), count_shards()
end
return { 'OK', cjson.encode(reply) }
