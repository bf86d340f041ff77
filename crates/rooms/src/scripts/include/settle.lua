-- Brings a room up to now: whatever is overdue happens first. Correctness then never depends on the sweep, which only
-- makes things happen on time while nobody calls. Only a room that is settled is read or changed: where one script does
-- not suffice, the caller runs the script again.

--- @include "disconnects"
--- @include "removal"

-- Returns whether all grace periods that are over have expired.
local function expire_grace_periods(room, until_ms)
  local users = redis.call('ZRANGEBYSCORE', room.grace, '-inf', until_ms, 'LIMIT', 0, SLICE)
  if #users > 0 then
    remove_members(room, users, 'graceExpired')
  end
  return count_slice(#users)
end

local function publish_reminder(room)
  if not room.reminder_at or now < room.reminder_at then
    return
  end
  redis.call('HDEL', room.key, 'reminderAt')
  room.reminder_at = nil
  publish(room, 'room:reminder', { groupId = room.public_id, endAt = room.end_at, remainMs = room.end_at - now }, {})
end

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

-- Returns whether the room is settled.
local function settle(room)
  if not room.is_live then
    return true
  end
  if room.ended_at then
    return end_stays(room)
  end
  local until_ms = math.min(now, room.end_at)
  local is_settled = prolong_grace_periods(room)
    and drop_expired_entries(room, until_ms)
    and expire_grace_periods(room, until_ms)
  if is_settled and now >= room.end_at then
    return end_session(room, 'time')
  end
  if is_settled then
    publish_reminder(room)
  end
  return is_settled
end

-- Settles a room. A room that is not settled yet stays due. Returns whether the room is settled.
local function settle_or_keep_due(room)
  local is_settled = settle(room)
  if not is_settled then
    redis.call('ZADD', KEYS[1], 'LT', now, room.id)
  end
  return is_settled
end

-- Loads a room and settles it. Most scripts begin like this. Returns none if the room is not settled yet: the script
-- then replies AGAIN.
local function load_settled_room(id)
  local room = load_room(id)
  return settle_or_keep_due(room) and room
end
