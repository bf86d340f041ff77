-- Node leases. A bridge that is killed cannot report its lost connections, so they count as live only until the
-- bridge's lease ends.

--- @include "epoch"

-- Sorted set: node → end of the lease.
local LEASES = SHARD .. 'leases'
-- Hash: node → start of the unbroken lease.
local LEASED_SINCE = SHARD .. 'leased'
-- Hash: ranAt (when a script last ran), pausedMs (the sum of all pauses).
local CLOCK = SHARD .. 'clock'

-- Returns the key of the rooms in which a node has entries.
local function build_node_key(node)
  return SHARD .. 'node:' .. node
end

-- Makes the keys of a node that is gone expire, even if nobody sweeps.
local function set_node_ttl(node)
  for _, key in ipairs({ LEASES, LEASED_SINCE, build_node_key(node) }) do
    redis.call('PEXPIRE', key, settings.leaseMs + settings.retentionMs)
  end
end

-- Returns the end of a node's lease: now for a node without one, which loses its connections at once.
local function get_lease_end(node)
  return tonumber(redis.call('ZSCORE', LEASES, node) or now)
end

-- Grants a lease to a node that has none.
local function ensure_lease(node)
  if redis.call('ZADD', LEASES, 'NX', now + settings.leaseMs, node) == 1 then
    redis.call('HSET', LEASED_SINCE, node, next_epoch())
    redis.call('HSETNX', CLOCK, 'ranAt', now)
    set_node_ttl(node)
  end
end

-- Counts a new entry of a node in a room. The node gets a lease, so that no member is ever present without one.
local function acquire(room, entry)
  ensure_lease(entry.nodeId)
  if redis.call('HINCRBY', room.nodes, entry.nodeId, 1) == 1 then
    redis.call('PEXPIREAT', room.nodes, room.end_at + settings.retentionMs)
    redis.call('SADD', build_node_key(entry.nodeId), room.id)
    redis.call('PEXPIRE', build_node_key(entry.nodeId), settings.leaseMs + settings.retentionMs)
  end
end

-- Counts an entry of a node in a room no longer.
local function release(room, entry)
  if redis.call('HINCRBY', room.nodes, entry.nodeId, -1) == 0 then
    redis.call('HDEL', room.nodes, entry.nodeId)
    redis.call('SREM', build_node_key(entry.nodeId), room.id)
  end
end
