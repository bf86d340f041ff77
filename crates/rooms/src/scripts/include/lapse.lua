-- Takes connections of a node that is gone for lost, as many as the limit allows. Returns how many it looked at.
local function lapse_node(node, limit)
  local held = redis.call('SPOP', held_by(node), limit)
  for _, json in ipairs(held) do
    local id, user, entry_id = unpack(cjson.decode(json))
    local room = open(id)
    settle(room)
    local entry = entry_of(room, user)
    if entry and entry.state == 'present' and entry.entryId == entry_id then
      begin_grace(room, user)
    end
    schedule(room)
  end
  if #held < limit then
    redis.call('ZREM', LEASES, node)
  end
  return #held
end
