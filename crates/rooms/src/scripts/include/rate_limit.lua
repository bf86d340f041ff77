-- Limits how often a user enters a room or changes the name, because the whole room learns of each time. The limit is
-- the user's, whatever sockets and bridges the joins come through.

--- @include "join_entry"

-- Returns the time from which earlier entries of the user count no longer. Each entry moves the time by one interval.
local function load_free_at(room)
  local free_at = tonumber(redis.call('ZSCORE', room.rate, USER) or now)
  -- A later time is left from before Redis's clock stepped back.
  local latest = now + settings.entryBurst * settings.entryIntervalMs
  return free_at <= latest and math.max(now, free_at) or now
end

-- Counts an entry. Returns whether the user may enter; an entry that is refused does not count. A bridge that enters
-- its members again is not limited: the members have not asked for it.
local function count_entry(room)
  if call.replaces then
    return true
  end
  local free_at = load_free_at(room)
  if free_at > now + (settings.entryBurst - 1) * settings.entryIntervalMs then
    return false
  end
  redis.call('ZREMRANGEBYSCORE', room.rate, '-inf', now)
  redis.call('ZADD', room.rate, free_at + settings.entryIntervalMs, USER)
  redis.call('PEXPIREAT', room.rate, room.end_at + settings.retentionMs)
  return true
end
