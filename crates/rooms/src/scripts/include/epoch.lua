-- Numbers that name sessions, leases and revisions: times that only rise within a shard.

--- @include "room"

-- Returns a number that neither the shard nor the room's earlier shard has ever given out, even if Redis's clock steps
-- back.
local function next_epoch()
  local key = SHARD .. 'epoch'
  local latest = math.max(tonumber(redis.call('GET', key) or 0), call.handover and call.handover.epoch or 0)
  local epoch = math.max(now, latest + 1)
  redis.call('SET', key, string.format('%.0f', epoch))
  return epoch
end
