-- What Redis lets the app's user do. Redis refuses a command at the moment of the call, and a refusal in the middle of
-- a script, or of a use case with several, leaves the writes before it. So every script first checks the rights for
-- the commands of all scripts.

local settings = cjson.decode(ARGV[1])

-- The commands, which build.rs finds in the scripts.
local COMMANDS = {}

-- What the channels of rooms begin with: what the keys begin with before the shard in braces, and a word.
local CHANNELS = string.match(KEYS[1], '^[^{]*') .. 'events:'

-- Returns the first right that is missing.
local function find_missing_right()
  for _, command in ipairs(COMMANDS) do
    local is_publish = command == 'PUBLISH' or command == 'SPUBLISH'
    local on = is_publish and CHANNELS or KEYS[1]
    local is_used = settings.isCluster or command ~= 'SPUBLISH'
    if is_used and not redis.acl_check_cmd(command, on) then
      return command .. ' on ' .. on
    end
  end
end

local missing_right = find_missing_right()
if missing_right then
  return redis.error_reply('NOPERM the Redis user of the app lacks the right to run ' .. missing_right)
end
