-- Names for sessions, leases and revisions: times of this shard that only rise.

--- @include "room"

-- No two are the same, even if Redis's clock steps back between them.
local function new_epoch()
  local key = SHARD .. 'epoch'
  local epoch = math.max(now, tonumber(redis.call('GET', key) or 0) + 1)
  redis.call('SET', key, string.format('%.0f', epoch))
  return epoch
end
