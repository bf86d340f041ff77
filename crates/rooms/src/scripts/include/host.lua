-- The host is the leader while the leader is in the room, else the member who entered first. Members within the grace
-- period count, because they are expected back.

--- @include "publish"

-- Elects the host. Returns whether the room has a new one; an empty room has none.
local function elect_host(room)
  local host = room.leader
  if not host or redis.call('HEXISTS', room.members, host) == 0 then
    host = redis.call('ZRANGE', room.order, 0, 0)[1]
  end
  if not host then
    redis.call('HDEL', room.key, 'hostId')
    room.host = nil
    return false
  end
  if host == room.host then
    return false
  end
  redis.call('HSET', room.key, 'hostId', host)
  room.host = host
  return true
end

local function publish_host(room)
  local member = load_member(room, room.host)
  publish(room, 'room:hostChanged', { hostId = member.userId, userName = member.userName }, {})
end
