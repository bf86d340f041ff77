-- Numbers that name sessions, leases and revisions: times that only rise within a shard.

--- @include "room"

-- Returns a number that the shard has never given out, even if Redis's clock steps back.
local function next_epoch()
  local key = SHARD .. 'epoch'
  local epoch = math.max(now, tonumber(redis.call('GET', key) or 0) + 1)
  redis.call('SET', key, string.format('%.0f', epoch))
  return epoch
end
