-- Nodes whose lease has ended.

--- @include "settle"

-- Settles rooms in which the node has entries, at most `limit` of them. Deletes the node after its last room. Returns
-- the number of rooms.
local function expire_node(node, limit)
  local ids = redis.call('SRANDMEMBER', build_node_key(node), limit)
  for _, id in ipairs(ids) do
    schedule(load_settled_room(id))
    -- Settling has done so already, unless the room's keys have expired.
    redis.call('SREM', build_node_key(node), id)
  end
  if #ids < limit then
    redis.call('ZREM', LEASES, node)
    redis.call('HDEL', LEASED_SINCE, node)
  end
  return #ids
end

-- Expires a node whose lease has ended, before the node gets a new lease. A new lease alone would revive connections
-- that other members may already know to be lost.
local function expire_ended_lease(node)
  if get_lease_end(node) <= now then
    while expire_node(node, 1000) == 1000 do end
  end
end
