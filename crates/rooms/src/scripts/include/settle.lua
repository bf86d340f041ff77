-- Brings a room up to now: whatever is overdue happens first. Correctness then never depends on the sweep, which only
-- makes things happen on time while nobody calls.

--- @include "disconnects"
--- @include "removal"

local function expire_grace_periods(room, until_ms)
  local users = redis.call('ZRANGEBYSCORE', room.grace, '-inf', until_ms)
  if #users > 0 then
    remove_members(room, users, 'graceExpired')
  end
end

local function publish_reminder(room)
  if not room.reminder_at or now < room.reminder_at then
    return
  end
  redis.call('HDEL', room.key, 'reminderAt')
  room.reminder_at = nil
  publish(room, 'room:reminder', { groupId = room.public_id, endAt = room.end_at, remainMs = room.end_at - now }, {})
end

-- reason: time, or ended (by an operator)
local function end_session(room, reason)
  publish(room, 'room:ended', { groupId = room.public_id, reason = reason }, { closes = true })
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    end_stay(room, user, 'ended', math.min(now, room.end_at))
  end
  for _, kind in ipairs(LIVE_KINDS) do
    redis.call('DEL', build_key(kind, room.id))
  end
  unlist(room.id)
  -- The same call may start the next session in this room, and elects its host anew.
  room.is_live, room.host = false, nil
end

local function settle(room)
  if not room.is_live then
    return
  end
  local until_ms = math.min(now, room.end_at)
  prolong_grace_periods(room)
  drop_expired_entries(room, until_ms)
  expire_grace_periods(room, until_ms)
  if now >= room.end_at then
    return end_session(room, 'time')
  end
  publish_reminder(room)
end

-- Loads a room and settles it. Most scripts begin like this.
local function load_settled_room(id)
  local room = load_room(id)
  settle(room)
  return room
end
