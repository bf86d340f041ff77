-- The time that passes for leases and grace periods. A shard whose scripts could not run, because Redis was frozen or
-- out of reach, got no heartbeat and let nobody come back. That time is held against nobody.

--- @include "lease"
--- @include "silence"

-- Prolongs the leases that a pause has cut short.
local function prolong_leases(ran_at, pause_ms)
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '(' .. ran_at, '+inf')) do
    redis.call('ZINCRBY', LEASES, pause_ms, node)
  end
end

-- Adds a long time since the last script to the pauses. Returns the sum of all pauses. A pause counts once, because
-- every script runs the clock first.
local function run_clock()
  local fields = redis.call('HMGET', CLOCK, 'ranAt', 'pausedMs')
  local ran_at, paused_ms = tonumber(fields[1]), tonumber(fields[2] or 0)
  if not ran_at then
    return paused_ms
  end
  local silence_ms = now - ran_at
  if silence_ms > MAX_SILENCE_MS then
    local pause_ms = silence_ms - CHARGED_MS
    prolong_leases(ran_at, pause_ms)
    paused_ms = paused_ms + pause_ms
    redis.call('HSET', CLOCK, 'ranAt', now, 'pausedMs', paused_ms)
  elseif math.abs(silence_ms) >= CHARGED_MS / 5 then
    -- Not with each script, because a record this recent is as good.
    redis.call('HSET', CLOCK, 'ranAt', now)
  end
  return paused_ms
end

local PAUSED_MS = run_clock()
