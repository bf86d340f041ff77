-- Entries of nodes whose lease has ended.

--- @include "disconnects"
--- @include "slice"

-- Drops the member's entries of nodes whose lease ended.
local function drop_entries_of(room, user, ended)
  local presence, lost_at = load_presence(room, user), nil
  for index = #presence.entries, 1, -1 do
    local ended_at = ended[presence.entries[index].nodeId]
    if ended_at then
      drop_entry(room, presence, index)
      lost_at = math.max(lost_at or 0, ended_at)
    end
  end
  if lost_at then
    save_after_disconnect(room, user, presence, lost_at)
  end
end

-- Forgets a node whose entries are all dropped. Dropping the last one has done so already, unless the room lost data.
local function forget_nodes(room, nodes)
  for node in pairs(nodes) do
    redis.call('HDEL', room.nodes, node)
    redis.call('SREM', build_node_key(node), room.id)
  end
end

-- Looks at some members for entries of nodes whose lease ended. Returns whether these were the last ones.
local function drop_some_entries(room, ended, until_ms)
  local found = redis.call('ZRANGE', room.order, '(' .. (room.looked_to or 0), '+inf', 'BYSCORE', 'LIMIT', 0, SLICE,
    'WITHSCORES')
  for index = 1, #found, 2 do
    drop_entries_of(room, found[index], ended)
  end
  if not count_slice(#found / 2) then
    redis.call('HSET', room.key, 'lookedTo', found[#found], 'lookUntil', until_ms)
    return false
  end
  forget_nodes(room, ended)
  return true
end

-- Drops the entries of nodes whose lease ended. They count as lost when the lease ended and not when a script looks,
-- so that it makes no difference who settles a room, and when. Returns whether all are dropped.
local function drop_expired_entries(room, until_ms)
  -- Leases that end while scripts look at the members wait for the next look at all members.
  local look_until = room.look_until or until_ms
  local ended = find_ended_leases(room, look_until)
  if next(ended) and not drop_some_entries(room, ended, look_until) then
    return false
  end
  redis.call('HDEL', room.key, 'lookedTo', 'lookUntil')
  return not next(find_ended_leases(room, until_ms))
end
