-- Nodes that are gone.

--- @include "settle"

-- Settles rooms in which a node holds entries although its lease has ended, as many as the limit allows, and forgets
-- the node after the last. Returns how many.
local function lapse_node(node, limit)
  local held = redis.call('SRANDMEMBER', held_by(node), limit)
  for _, id in ipairs(held) do
    local room = open(id)
    settle(room)
    schedule(room)
    -- Settling has let go of it, unless the room's keys have expired.
    redis.call('SREM', held_by(node), id)
  end
  if #held < limit then
    redis.call('ZREM', LEASES, node)
    redis.call('HDEL', LEASED_SINCE, node)
  end
  return #held
end

-- Before a node is given a lease: one that has ended is not prolonged. What the node held is lost first, or the new
-- lease would revive connections that others may have been told are gone.
local function lapse_ended_lease(node)
  if lease_end(node) <= now then
    while lapse_node(node, 1000) == 1000 do end
  end
end
