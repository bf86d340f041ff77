-- Arguments of every script: the deployment's settings, which `rights` reads first, and the call. All times are
-- milliseconds since 1970.

--- @include "rights"

local call = cjson.decode(ARGV[2])

-- While the slot of the shard moves to another node of the cluster key by key, some keys of the shard are here and others
-- are there. A node refuses all keys then that it does not have, so a key that never exists shows whether the script would
-- see all others.
if settings.isCluster and type(redis.pcall('EXISTS', KEYS[1] .. ':none')) == 'table' then
  return redis.error_reply('TRYAGAIN the slot of the shard is moving')
end

-- Redis's own clock, so that app instances with wrong clocks agree. Tests pass the time in.
local function read_clock()
  if settings.now then
    return settings.now
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local now = read_clock()
