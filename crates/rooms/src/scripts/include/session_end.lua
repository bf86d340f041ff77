-- The end of a session.

--- @include "removal"
--- @include "slice"

-- Ends stays of a session that has ended. Returns whether none is left, and the room is cleared.
local function end_stays(room)
  local users = redis.call('ZRANGE', room.order, 0, SLICE - 1)
  for _, user in ipairs(users) do
    end_stay(room, user, 'ended', math.min(room.ended_at, room.end_at))
  end
  if #users > 0 then
    delete_members(room, users)
    redis.call('ZREM', room.rate, unpack(users))
  end
  if not count_slice(#users) then
    return false
  end
  for _, kind in ipairs(LIVE_KINDS) do
    redis.call('DEL', build_key(kind, room.id))
  end
  for kind, kept_ms in pairs(KEPT_KINDS) do
    if kept_ms == 0 then
      redis.call('DEL', build_key(kind, room.id))
    else
      redis.call('PEXPIREAT', build_key(kind, room.id), math.min(room.ended_at, room.end_at) + kept_ms)
    end
  end
  unlist(room.id)
  -- The same call may start the next session in this room, and elects its host anew.
  room.is_live, room.host, room.ended_at = false, nil, nil
  return true
end

-- Ends the session. Returns whether the room is cleared, too. reason: time, or ended (by an operator)
local function end_session(room, reason)
  publish(room, 'room:ended', { groupId = room.public_id, reason = reason }, { closes = true })
  redis.call('ZREM', ROOMS, room.id)
  room.ended_at = now
  redis.call('HSET', room.key, 'endedAt', now)
  return end_stays(room)
end
