-- Brings a room up to now: whatever is overdue happens. Correctness never depends on the sweep, which only makes things
-- happen on time while nobody calls.

--- @include "ended_leases"
--- @include "pauses"
--- @include "session_end"
--- @include "timer"

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
    change_phase(room)
  end
  return is_settled
end

-- Settles a room. A room that is not settled yet stays due. Returns whether the room is settled.
local function settle_and_schedule(room)
  local is_settled = settle(room)
  if is_settled then
    schedule(room)
  else
    redis.call('ZADD', KEYS[1], 'LT', now, room.id)
  end
  return is_settled
end
