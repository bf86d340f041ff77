-- Grace periods, in which members without a connection may come back.

--- @include "call"

-- Returns when the first grace period of the room ends, or nothing. A script looks once, and anew after a change.
local function find_grace_end(room)
  if room.grace_end == nil then
    room.grace_end = tonumber(redis.call('ZRANGE', room.grace, 0, 0, 'WITHSCORES')[2]) or false
  end
  return room.grace_end
end

local function start_grace_period(room, user, until_ms)
  local first = find_grace_end(room)
  redis.call('ZADD', room.grace, until_ms, user)
  if not first then
    -- The key is new.
    redis.call('PEXPIREAT', room.grace, room.end_at + settings.retentionMs)
  end
  room.grace_end = math.min(first or until_ms, until_ms)
end

local function move_grace_period(room, user, until_ms)
  redis.call('ZADD', room.grace, until_ms, user)
  room.grace_end = nil
end

local function end_grace_periods(room, users)
  if find_grace_end(room) then
    redis.call('ZREM', room.grace, unpack(users))
    room.grace_end = nil
  end
end
