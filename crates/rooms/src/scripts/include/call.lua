-- What every script is given: the settings of the deployment, and the call at hand.
-- All times are milliseconds since 1970.

local settings = cjson.decode(ARGV[1])
local call = cjson.decode(ARGV[2])

-- Redis's own clock, so that instances with wrong clocks agree. Tests pass a time in.
local function clock()
  if settings.now then
    return settings.now
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local now = clock()
