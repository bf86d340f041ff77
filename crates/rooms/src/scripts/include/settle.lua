-- Brings a room up to now: whatever is overdue in it happens first, so that nothing depends on the sweep for
-- correctness, only for happening when nobody calls.

--- @include "grace"

local function lapse_grace(room, until_ms)
  local users = redis.call('ZRANGEBYSCORE', room.grace, '-inf', until_ms)
  if #users > 0 then
    remove(room, users, 'graceExpired')
  end
end

local function remind(room)
  if room.reminder_at == 0 or now < room.reminder_at then
    return
  end
  redis.call('HDEL', room.key, 'reminderAt')
  room.reminder_at = 0
  publish(room, 'room:reminder', { groupId = room.id, endAt = room.end_at, remainMs = room.end_at - now }, {})
end

-- reason: time, or ended by an operator.
local function finish(room, reason)
  publish(room, 'room:ended', { groupId = room.id, reason = reason }, { closes = true })
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    local presence, user_name = presence_of(room, user), member_of(room, user).userName
    while #presence.entries > 0 do
      drop_entry(room, presence, 1)
    end
    attended(room, user, user_name, presence, 'ended', math.min(now, room.end_at))
  end
  for _, kind in ipairs(LIVE_KINDS) do
    redis.call('DEL', key_of(kind, room.id))
  end
  redis.call('ZREM', KEYS[1], room.id)
  -- The same call may start the next session in this room.
  room.is_live, room.host, room.reminder_at, room.seq = false, nil, 0, 0
end

local function settle(room)
  if not room.is_live then
    return
  end
  local until_ms = math.min(now, room.end_at)
  lapse_leases(room, until_ms)
  lapse_grace(room, until_ms)
  if now >= room.end_at then
    return finish(room, 'time')
  end
  remind(room)
end
