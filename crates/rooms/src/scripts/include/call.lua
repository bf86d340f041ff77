-- Arguments of every script: the deployment's settings and the call. All times are milliseconds since 1970.

--- @include "rights"

local settings = cjson.decode(ARGV[1])
local call = cjson.decode(ARGV[2])

-- Redis's own clock, so that app instances with wrong clocks agree. Tests pass the time in.
local function read_clock()
  if settings.now then
    return settings.now
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local now = read_clock()
