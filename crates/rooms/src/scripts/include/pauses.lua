-- Grace periods that pauses of the shard have cut short.

--- @include "clock"
--- @include "disconnects"
--- @include "slice"

local function prolong_grace_period(room, user, pause_ms)
  local member = load_member(room, user)
  member.graceUntil = member.graceUntil + pause_ms
  move_grace_period(room, user, member.graceUntil)
  save_reconnecting(room, user, member)
end

-- Prolongs the grace periods that pauses since the last script of the room have cut short. Begins with the last one, so
-- that those that are prolonged stay behind the others. Returns whether all are prolonged.
local function prolong_grace_periods(room)
  local paused_ms, done = room.prolong_to or PAUSED_MS, room.prolonged or 0
  if paused_ms <= room.paused_ms then
    return true
  end
  local users = redis.call('ZRANGE', room.grace, done, done + SLICE - 1, 'REV')
  for _, user in ipairs(users) do
    prolong_grace_period(room, user, paused_ms - room.paused_ms)
  end
  if not count_slice(#users) then
    redis.call('HSET', room.key, 'prolongTo', paused_ms, 'prolonged', done + #users)
    return false
  end
  redis.call('HSET', room.key, 'pausedMs', paused_ms)
  redis.call('HDEL', room.key, 'prolongTo', 'prolonged')
  -- The shard may have paused again meanwhile.
  return paused_ms == PAUSED_MS
end
