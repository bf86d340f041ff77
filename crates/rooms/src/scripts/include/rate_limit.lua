-- Limits how often a user does something of which the whole room learns. The limit is the user's, whatever sockets and
-- bridges the calls come through.

--- @include "room"

-- Returns the time from which earlier times count no longer. Each time moves it by one interval.
local function load_free_at(room, name, burst, interval_ms)
  local free_at = tonumber(redis.call('ZSCORE', room.rate, name) or now)
  -- A later time is left from before Redis's clock stepped back.
  return free_at <= now + burst * interval_ms and math.max(now, free_at) or now
end

-- Whether the limit refuses one time more. name: what is limited; burst: how often at once; interval_ms: in which time
-- once more after that. Returns also the time from which on earlier times count no longer
local function is_limited(room, name, burst, interval_ms)
  local free_at = load_free_at(room, name, burst, interval_ms)
  return free_at > now + (burst - 1) * interval_ms, free_at
end

-- Counts one time more. Returns whether the limit allows it; what is refused does not count.
local function count(room, name, burst, interval_ms)
  local refuses, free_at = is_limited(room, name, burst, interval_ms)
  if refuses then
    return false
  end
  redis.call('ZREMRANGEBYSCORE', room.rate, '-inf', now)
  redis.call('ZADD', room.rate, free_at + interval_ms, name)
  redis.call('PEXPIREAT', room.rate, room.end_at + settings.retentionMs)
  return true
end
