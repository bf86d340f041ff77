-- Messages that a member sends.

--- @include "chat"
--- @include "command"
--- @include "publish"
--- @include "rate_limit"

-- How many of the latest entries are searched for a message that is sent again.
local LATEST = 100

local function build_ack(room, message)
  return { 'OK', add_field(encode_json({ epoch = room.epoch, seq = room.seq, now = now }), 'message', message) }
end

-- Finds the message of a command that is sent again.
local function find_sent(room)
  local id = '"id":' .. cjson.encode(call.commandId)
  for _, json in ipairs(redis.call('ZRANGE', room.chat, 0, LATEST - 1, 'REV')) do
    if string.find(json, id, 1, true) and is_author(cjson.decode(json)) then
      return json
    end
  end
end

-- The limits of a message: the name, how many at once, and the time for one more.
local function find_limits(room)
  local limits = { { 'chat\t' .. call.userId, settings.chatBurst, settings.chatIntervalMs, 'RATE_LIMITED' } }
  if room.slow_ms and not is_moderator(room) then
    table.insert(limits, { 'slow\t' .. call.userId, 1, room.slow_ms, 'SLOW_MODE' })
  end
  return limits
end

-- Returns why the caller may send nothing at the moment, or nothing.
local function find_refusal(room)
  if find_mute(room, call.userId) then
    return { 'MUTED' }
  end
  for _, limit in ipairs(find_limits(room)) do
    if is_limited(room, limit[1], limit[2], limit[3]) then
      return { limit[4] }
    end
  end
end
