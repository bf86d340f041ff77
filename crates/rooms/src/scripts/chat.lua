-- Sends a message to a room, deletes one, or changes who may send, and how often.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, chatBurst, chatIntervalMs,
--          chatLimit, chatMs
-- ARGV[2]  call: roomId; userId?, entryId? (a member's connection; an operator has none); commandId; command and data:
--          chat:send {text}, chat:delete {number}, chat:mute {userId, forMs?}, chat:unmute {userId}, chat:slow {intervalMs}
--
-- Returns  {'OK', JSON {message?, epoch, seq, now}}  also for a command that was applied before, or changes nothing;
--                                    message: after chat:send; seq: the last event that the ack includes
--          {'NOT_LIVE'}               the room is not live
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session has no chat
--          {'NOT_ALLOWED'}            only others may do this
--          {'MUTED'}                  the user may send nothing at the moment
--          {'SLOW_MODE'}              the user has sent something within the interval of slow mode
--          {'NO_SUCH_MESSAGE'}        there is no message of this number
--          {'RATE_LIMITED'}           the user does this too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   chat:message    somebody has sent a message
--          chat:deleted    somebody has deleted a message
--          room:muted      a user may send nothing for a time
--          room:unmuted    a user may send again
--          chat:slowed     the interval of slow mode has changed

--- @include "chat"
--- @include "command"
--- @include "layout"
--- @include "rate_limit"
--- @include "settled"

-- How many of the latest entries are searched for a message that is sent again.
local LATEST = 100

-- Adds a message or a deletion. Numbers begin with the session, so those of a later session are larger although no script
-- remembers the last one.
local function add(room, item)
  local given = redis.call('HINCRBY', room.key, 'chatCount', 1)
  item.number = room.epoch + given
  local json = encode_json(item)
  redis.call('ZADD', room.chat, item.number, json)
  if given == 1 then
    set_chat_ttl(room)
  end
  return json
end

-- Forgets what is beyond the limit.
local function forget_oldest(room)
  local place = -settings.chatLimit - 1
  local beyond = redis.call('ZRANGE', room.chat, place, place, 'WITHSCORES')[2]
  if beyond then
    redis.call('ZREMRANGEBYSCORE', room.chat, '-inf', beyond)
  end
end

local function find_member(room)
  local member = call.userId and load_member(room, call.userId)
  return member and { userId = member.userId, userName = member.userName }
end

-- Publishes what the caller has done.
local function publish_deed(room, event, data)
  data.by, data.now = find_member(room), now
  publish(room, event, data, {})
end

local function may_send(room)
  if find_mute(room, call.userId) then
    return { 'MUTED' }
  end
  local is_slow = room.slow_ms and not is_moderator(room)
  if is_slow and not count(room, 'slow\t' .. call.userId, 1, room.slow_ms) then
    return { 'SLOW_MODE' }
  end
end

local function load_item(room, number)
  local json = redis.call('ZRANGE', room.chat, number, number, 'BYSCORE')[1]
  return json and cjson.decode(json)
end

local function is_author(message)
  return get_text(message.userId) == call.userId
end

-- Returns the id of a user in the form that clients know.
local function get_target(room)
  local id, text = call.data.userId, get_text(call.data.userId)
  local member = load_member(room, text)
  return text, member and member.userId or build_public_id(text, type(id) == 'number')
end

-- What the commands do. Each checks first, and returns a refusal, or else what to do and the event.
local ACTIONS = {
  ['chat:send'] = function(room)
    local refusal = may_send(room)
    if refusal then
      return refusal
    end
    local message = find_member(room)
    message.id, message.text, message.sentAt = call.commandId, call.data.text, now
    local json = add(room, message)
    forget_oldest(room)
    publish(room, 'chat:message', { now = now }, { message = json })
    return nil, json
  end,
  ['chat:delete'] = function(room)
    local number = string.format('%.0f', call.data.number)
    local message = load_item(room, number)
    if not message or message.deletes then
      return { 'NO_SUCH_MESSAGE' }
    end
    if not is_moderator(room) and not is_author(message) then
      return { 'NOT_ALLOWED' }
    end
    -- The deletion comes first, because a key that becomes empty would lose its expiry.
    local deletion = { deletes = message.number, by = find_member(room) }
    add(room, deletion)
    redis.call('ZREMRANGEBYSCORE', room.chat, number, number)
    publish_deed(room, 'chat:deleted', { number = deletion.number, deletes = message.number })
  end,
  ['chat:mute'] = function(room)
    local user, id = get_target(room)
    redis.call('ZREMRANGEBYSCORE', room.muted, '-inf', now)
    redis.call('ZADD', room.muted, call.data.forMs and now + call.data.forMs or '+inf', user)
    redis.call('PEXPIREAT', room.muted, room.end_at + settings.retentionMs)
    publish_deed(room, 'room:muted', { userId = id, mutedUntil = find_mute(room, user) })
  end,
  ['chat:unmute'] = function(room)
    local user, id = get_target(room)
    if redis.call('ZREM', room.muted, user) == 1 then
      publish_deed(room, 'room:unmuted', { userId = id })
    end
  end,
  ['chat:slow'] = function(room)
    local interval = call.data.intervalMs > 0 and call.data.intervalMs or nil
    if interval ~= room.slow_ms then
      set_field(room, 'slowMs', interval)
      publish_deed(room, 'chat:slowed', { slowMs = interval or 0 })
    end
  end,
}

-- Commands that members may give to what is their own.
local FOR_MEMBERS = { ['chat:send'] = true, ['chat:delete'] = true }

local function build_ack(room, message)
  return { 'OK', add_field(encode_json({ epoch = room.epoch, seq = room.seq, now = now }), 'message', message) }
end

-- Finds the message of a command that is sent again.
local function find_sent(room)
  for _, json in ipairs(redis.call('ZRANGE', room.chat, 0, LATEST - 1, 'REV')) do
    local item = cjson.decode(json)
    if item.id == call.commandId and is_author(item) then
      return json
    end
  end
end

local function handle(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not load_chat(room) then
    return { 'FEATURE_OFF' }
  end
  if is_repeated(room) then
    return build_ack(room, call.command == 'chat:send' and find_sent(room))
  end
  if not FOR_MEMBERS[call.command] and not is_moderator(room) then
    return { 'NOT_ALLOWED' }
  end
  if call.userId and not count(room, 'chat\t' .. call.userId, settings.chatBurst, settings.chatIntervalMs) then
    return { 'RATE_LIMITED' }
  end
  local refusal, message = ACTIONS[call.command](room)
  if refusal then
    return refusal
  end
  remember_command(room)
  return build_ack(room, message)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { call.userId and 'NOT_IN_ROOM' or 'NOT_LIVE' }
end
return handle(room)
