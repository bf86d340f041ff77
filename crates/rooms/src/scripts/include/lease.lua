-- Node leases. A bridge that is killed cannot say which connections are lost, so it holds them only for as long as it
-- keeps saying that it is there.

local LEASES = SHARD .. 'leases'

-- What a node holds in this shard: [room, user, entry] as JSON. Entries that are over may linger in it until the node
-- goes; naming the entry, they do no harm.
local function held_by(node)
  return SHARD .. 'node:' .. node
end

-- Neither key outlives a node for long, even if nobody sweeps.
local function remember_node(node)
  redis.call('PEXPIRE', LEASES, settings.leaseMs + settings.retentionMs)
  redis.call('PEXPIRE', held_by(node), settings.leaseMs + settings.retentionMs)
end

local function has_lease(node)
  local lease_until = redis.call('ZSCORE', LEASES, node)
  return lease_until and now < tonumber(lease_until)
end

-- Whoever is let in through a node gives it a lease if it has none, so nobody is ever present without one.
local function hold(room, user, entry)
  redis.call('ZADD', LEASES, 'NX', now + settings.leaseMs, entry.nodeId)
  redis.call('SADD', held_by(entry.nodeId), cjson.encode({ room.id, user, entry.entryId }))
  remember_node(entry.nodeId)
end

local function let_go(room, user, entry)
  redis.call('SREM', held_by(entry.nodeId), cjson.encode({ room.id, user, entry.entryId }))
end
