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

--- @include "layout"
--- @include "sending"
--- @include "settled"

-- Adds a message or a deletion. Numbers begin with the session, so those of a later session are larger although no script
-- remembers the last one.
local function add(room, item)
  local given = redis.call('HINCRBY', room.key, 'chatCount', 1)
  item.number = room.epoch + given
  local json = encode_json(item)
  redis.call('ZADD', room.chat, item.number, json)
  if given == 1 then
    set_kept_ttl(room, 'chat')
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

-- Publishes what the leader, an operator or an author has done.
local function publish_moderation(room, event, data)
  data.by, data.now = describe_caller(room), now
  publish(room, event, data, {})
end

local function load_item(room, number)
  local json = redis.call('ZRANGE', room.chat, number, number, 'BYSCORE')[1]
  return json and cjson.decode(json)
end

-- Returns the id of the user whom the command names, as text and as clients know it.
local function get_target(room)
  local id, text = call.data.userId, get_text(call.data.userId)
  return text, find_public_id(room, text, type(id) == 'number')
end

-- What the commands do. Each returns a refusal, or nothing and the message that was sent.
local ACTIONS = {
  ['chat:send'] = function(room)
    for _, limit in ipairs(find_limits(room)) do
      count(room, limit[1], limit[2], limit[3])
    end
    local message = describe_caller(room)
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
    local deletion = { deletes = message.number }
    add(room, deletion)
    redis.call('ZREMRANGEBYSCORE', room.chat, number, number)
    publish_moderation(room, 'chat:deleted', { number = deletion.number, deletes = message.number })
  end,
  ['chat:mute'] = function(room)
    local user, id = get_target(room)
    redis.call('ZREMRANGEBYSCORE', room.muted, '-inf', now)
    redis.call('ZADD', room.muted, call.data.forMs and now + call.data.forMs or '+inf', user)
    redis.call('PEXPIREAT', room.muted, room.end_at + settings.retentionMs)
    publish_moderation(room, 'room:muted', { userId = id, mutedUntil = find_mute(room, user) })
  end,
  ['chat:unmute'] = function(room)
    local user, id = get_target(room)
    local is_muted = find_mute(room, user)
    redis.call('ZREM', room.muted, user)
    if is_muted then
      publish_moderation(room, 'room:unmuted', { userId = id })
    end
  end,
  ['chat:slow'] = function(room)
    local interval = call.data.intervalMs > 0 and call.data.intervalMs or nil
    if interval ~= room.slow_ms then
      set_field(room, 'slowMs', interval)
      publish_moderation(room, 'chat:slowed', { slowMs = interval or 0 })
    end
  end,
}

-- Whether the caller may give such a command. Whether a message may be deleted depends on its author. Nobody lifts a mute
-- of one's own, which may be an operator's.
local function is_allowed(room)
  if call.command == 'chat:send' or call.command == 'chat:delete' then
    return true
  end
  local is_own = call.command == 'chat:unmute' and get_text(call.data.userId) == call.userId
  return is_moderator(room) and not is_own
end

-- Counts what is no message: find_limits counts those.
local function count_moderation(room)
  return not call.userId or count(room, 'chat\t' .. call.userId, settings.chatBurst, settings.chatIntervalMs)
end

local function handle(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not load_chat(room) then
    return { 'FEATURE_OFF' }
  end
  if is_repeated(room) then
    return build_ack(room, find_sent(room))
  end
  if not is_allowed(room) then
    return { 'NOT_ALLOWED' }
  end
  local is_message = call.command == 'chat:send'
  local refusal, message = is_message and find_refusal(room), nil
  if not is_message and not count_moderation(room) then
    refusal = { 'RATE_LIMITED' }
  end
  if not refusal then
    refusal, message = ACTIONS[call.command](room)
  end
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
