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

-- Ends of leases that this script has read: node → end of the lease, or false without a lease.
local lease_ends = {}

local function load_lease_end(node)
  if lease_ends[node] == nil then
    lease_ends[node] = tonumber(redis.call('ZSCORE', LEASES, node)) or false
  end
  return lease_ends[node]
end

local function save_lease_end(node, lease_end)
  redis.call('ZADD', LEASES, lease_end, node)
  lease_ends[node] = lease_end
end

local function delete_lease(node)
  redis.call('ZREM', LEASES, node)
  redis.call('HDEL', LEASED_SINCE, node)
  lease_ends[node] = false
end

-- Grants a lease to a node that has none.
local function ensure_lease(node)
  if not load_lease_end(node) then
    save_lease_end(node, now + settings.leaseMs)
    redis.call('HSET', LEASED_SINCE, node, next_epoch())
    redis.call('HSETNX', CLOCK, 'ranAt', now)
    set_node_ttl(node)
  end
end

-- Whether the node's lease has ended, and the node still has to be expired: with a new lease, connections would count
-- that other members may already know to be lost.
local function is_lease_over(node)
  local lease_end = load_lease_end(node)
  if lease_end then
    return lease_end <= now
  end
  return redis.call('EXISTS', build_node_key(node)) == 1
end

-- Returns the room's nodes whose lease ended by the given time: node → end of the lease.
local function find_ended_leases(room, until_ms)
  local ended = {}
  for _, node in ipairs(redis.call('HKEYS', room.nodes)) do
    -- A node without a lease loses its connections at once.
    local ended_at = load_lease_end(node) or now
    if ended_at <= until_ms then
      ended[node] = ended_at
    end
  end
  return ended
end

-- Returns the first deadline of the shard: that of a room, or the end of a lease.
local function find_next_deadline()
  return math.min(find_first(KEYS[1]), find_first(LEASES))
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
