-- Node leases. A bridge that is killed cannot say which connections are lost, so it holds them only for as long as it
-- keeps saying that it is there.

--- @include "epoch"

-- Node → until when its connections count as live.
local LEASES = SHARD .. 'leases'
-- Node → since when it has had its lease without a break.
local LEASED_SINCE = SHARD .. 'leased'

-- The rooms of this shard in which a node holds entries.
local function held_by(node)
  return SHARD .. 'node:' .. node
end

-- None of the keys outlives a node for long, even if nobody sweeps.
local function remember_node(node)
  for _, key in ipairs({ LEASES, LEASED_SINCE, held_by(node) }) do
    redis.call('PEXPIRE', key, settings.leaseMs + settings.retentionMs)
  end
end

-- When a node's lease ends. Without one, its connections are lost as of now.
local function lease_end(node)
  return tonumber(redis.call('ZSCORE', LEASES, node) or now)
end

-- Whoever is let in through a node gives it a lease if it has none, so nobody is ever present without one.
local function ensure_lease(node)
  if redis.call('ZADD', LEASES, 'NX', now + settings.leaseMs, node) == 1 then
    redis.call('HSET', LEASED_SINCE, node, new_epoch())
  end
  remember_node(node)
end

local function hold(room, entry)
  ensure_lease(entry.nodeId)
  if redis.call('HINCRBY', room.nodes, entry.nodeId, 1) == 1 then
    redis.call('PEXPIREAT', room.nodes, room.end_at + settings.retentionMs)
    redis.call('SADD', held_by(entry.nodeId), room.id)
    redis.call('PEXPIRE', held_by(entry.nodeId), settings.leaseMs + settings.retentionMs)
  end
end

local function let_go(room, entry)
  if redis.call('HINCRBY', room.nodes, entry.nodeId, -1) == 0 then
    redis.call('HDEL', room.nodes, entry.nodeId)
    redis.call('SREM', held_by(entry.nodeId), room.id)
  end
end
