-- Deadlines: when something has to happen although no call arrives.

--- @include "call"
--- @include "silence"

-- Returns the first deadline in a sorted set, infinite if the set is empty.
local function find_first(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or math.huge)
end

-- Returns what bridges learn of the next deadline.
local function build_next_due(deadline)
  return { asOf = now, dueAt = deadline < math.huge and deadline or nil }
end

-- Tells all bridges of a deadline that the next heartbeat of a bridge may come too late for. Bridges learn of all other
-- deadlines from the replies to their heartbeats, of which they send at least three per lease.
local function announce_if_near(deadline)
  if deadline - now < MAX_SILENCE_MS then
    local json = string.format('{"asOf":%.0f,"dueAt":%.0f,"isPartial":true}', now, deadline)
    redis.call('PUBLISH', CHANNELS .. '\t\tdue', json)
  end
end
