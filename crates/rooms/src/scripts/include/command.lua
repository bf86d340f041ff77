-- Commands of members and operators. A command names itself, because it may arrive twice: a client that got no ack sends
-- it again, and so does a bridge.

--- @include "room"

-- No id holds a tab.
local COMMAND = (call.userId or '') .. '\t' .. call.commandId

-- Whether the command has been applied before.
local function is_repeated(room)
  return redis.call('ZSCORE', room.commands, COMMAND) ~= false
end

-- Remembers that the command is applied, for as long as a copy may still be under way.
local function remember_command(room)
  redis.call('ZREMRANGEBYSCORE', room.commands, '-inf', now - settings.closedEntryMs)
  redis.call('ZADD', room.commands, now, COMMAND)
  redis.call('PEXPIREAT', room.commands, room.end_at + settings.retentionMs)
end
