-- The host is the leader while the leader is in the room, else the member who entered first. Members within the grace
-- period count, because they are expected back.

--- @include "publish"
--- @include "room"

-- Returns the user who has to be host; none in an empty room.
local function find_host(room)
  if room.leader and redis.call('HEXISTS', room.members, room.leader) == 1 then
    return room.leader
  end
  return redis.call('ZRANGE', room.order, 0, 0)[1]
end

-- Elects the host. Returns whether the room has a new one.
local function elect_host(room)
  local host = find_host(room)
  if host == room.host then
    return false
  end
  room.host = host
  set_field(room, 'hostId', host)
  if not host then
    return false
  end
  save_id_type(room, host, load_member(room, host).userId ~= host)
  return true
end

local function publish_host(room)
  local member = load_member(room, room.host)
  publish(room, 'room:hostChanged', { hostId = member.userId, userName = member.userName }, {})
end
