-- Nodes whose lease has ended.

--- @include "settle"

-- Settles rooms in which the node has entries, at most `limit` of them. Deletes the node after its last room. Returns
-- the number of settled rooms, whether the node is deleted, and the room at which the script has to stop, if any.
local function expire_node(node, limit)
  local ids = redis.call('SRANDMEMBER', build_node_key(node), limit)
  for index, id in ipairs(ids) do
    if is_slice_full() or not settle_and_schedule(load_room(id)) then
      return index - 1, false, id
    end
    -- Settling has done so already, unless the room's keys have expired.
    redis.call('SREM', build_node_key(node), id)
  end
  if #ids == limit then
    return limit, false
  end
  delete_lease(node)
  return #ids, true
end

-- Expires a node whose lease has ended, before the node gets a new lease. A new lease alone would revive connections
-- that other members may already know to be lost. Returns whether the node's lease has not ended, or is expired.
local function expire_ended_lease(node)
  if not is_lease_over(node) then
    return true
  end
  local _, is_expired, unsettled = expire_node(node, SLICE)
  if unsettled then
    -- The next run has to find the room, even if the node's last entry in it is dropped.
    redis.call('SADD', build_node_key(node), unsettled)
    set_node_ttl(node)
  end
  return is_expired
end
