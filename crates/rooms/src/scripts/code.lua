-- Shares a snippet of code with a room, changes one or closes one.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, codeBurst, codeIntervalMs,
--          codeReadBurst, codeReadIntervalMs, codeLimit, codeMs
-- ARGV[2]  call: roomId; userId?, entryId? (a member's connection; an operator has none); commandId; command and data:
--          code:share {text, title?, language?, editors, document?}; code:update {number, version, text?, title?,
--          language?, editors?, document?}, where null removes a title or a language; code:close {number}. document: the
--          first state of the document, in Base64, if members edit the snippet together from now on; text is there then
--
-- Returns  {'OK', JSON {snippet?, epoch, seq, now}}  also for a command that was applied before; snippet: as it is now, if
--                                    it is not closed; seq: the last event that the ack includes
--          {'NOT_LIVE'}               the room is not live
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session shares no code
--          {'MUTED'}                  the user may write nothing at the moment
--          {'NO_SUCH_SNIPPET'}        there is no snippet of this number
--          {'NOT_ALLOWED'}            only others may do this
--          {'TOO_MANY_SNIPPETS'}      the room or the user shares as many snippets as are allowed
--          {'EDITED_TOGETHER'}        the snippet is a document: only its title and its language can be changed so
--          {'VERSION_CONFLICT', JSON {snippet, text?, now}}  the snippet has another version: this one; text: not of a document
--          {'RATE_LIMITED'}           the user does this too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   code:shared    somebody has shared a snippet
--          code:updated   somebody has changed a snippet
--          code:closed    somebody has closed a snippet

--- @include "command"
--- @include "document"
--- @include "layout"
--- @include "settled"

-- The longest text in an event, in bytes. Everybody gets the event, and those who look at the snippet ask for a longer one.
local MAX_EVENT_TEXT = 4096

-- The part of the places for snippets that one user may fill.
local USER_SHARE = 1 / 4

local function is_full(room)
  local snippets, own = load_snippets(room), 0
  for _, snippet in ipairs(snippets) do
    own = own + (is_author(snippet) and 1 or 0)
  end
  return #snippets >= settings.codeLimit or own >= math.max(1, math.floor(settings.codeLimit * USER_SHARE))
end

-- Why a change of a document is refused, or nothing. Its text changes with document:update, and it stays a document.
local function find_document_refusal(snippet)
  if call.data.text or call.data.editors then
    return { 'EDITED_TOGETHER' }
  end
  local is_stale = snippet.version ~= call.data.version
  return is_stale and { 'VERSION_CONFLICT', encode_with({ now = now }, 'snippet', encode_snippet(snippet)) }
end

-- Why a command is refused, or nothing. snippet: the one that the command names, if there is one
local CHECKS = {
  ['code:share'] = function(room)
    if find_mute(room, call.userId) then
      return { 'MUTED' }
    end
    return is_full(room) and { 'TOO_MANY_SNIPPETS' }
  end,
  ['code:update'] = function(room, snippet)
    if find_mute(room, call.userId) then
      return { 'MUTED' }
    end
    if not snippet then
      return { 'NO_SUCH_SNIPPET' }
    end
    if not is_author(snippet) and (snippet.editors ~= 'everybody' or call.data.editors) then
      return { 'NOT_ALLOWED' }
    end
    if is_document(snippet) then
      return find_document_refusal(snippet)
    end
    if snippet.version == call.data.version then
      return nil
    end
    return count_read(room) and { 'VERSION_CONFLICT', encode_content(room, snippet) } or { 'RATE_LIMITED' }
  end,
  ['code:close'] = function(room, snippet)
    if not snippet then
      return { 'NO_SUCH_SNIPPET' }
    end
    return not is_moderator(room) and not is_author(snippet) and { 'NOT_ALLOWED' }
  end,
}

-- Stores the text of a snippet, or what begins its document.
local function save_text(room, snippet, text)
  snippet.bytes = string.len(text)
  if is_document(snippet) then
    redis.call('HDEL', room.code, get_field(snippet.number))
    return create_document(room, snippet.number, call.data.document)
  end
  redis.call('HSET', room.code, get_field(snippet.number), text)
  set_kept_ttl(room, 'code')
end

-- Stores a version of the caller, and tells the room. text: the new text, if it changes
local function save_version(room, event, snippet, text)
  snippet.updatedBy, snippet.updatedAt = describe_caller(room), now
  if text then
    save_text(room, snippet, text)
  end
  local json = save_snippet(room, snippet)
  local shown = not is_document(snippet) and (text or load_text(room, snippet))
  local is_short = shown and string.len(shown) <= MAX_EVENT_TEXT
  publish(room, event, { now = now, text = is_short and shown or nil }, { snippet = json })
  return snippet
end

-- Returns the new value of a field that a change may leave as it is, or remove.
local function pick(change, value)
  if change == nil then
    return value
  end
  return change ~= cjson.null and change or nil
end

-- What the commands do. Each returns the snippet after it.
local ACTIONS = {
  ['code:share'] = function(room)
    local snippet, data = describe_caller(room), call.data
    -- Numbers begin with the session, so those of a later session are larger although no script remembers the last one.
    snippet.number = room.epoch + redis.call('HINCRBY', room.key, 'snippetCount', 1)
    snippet.id, snippet.title, snippet.language = call.commandId, data.title, data.language
    snippet.editors, snippet.version, snippet.sharedAt = data.editors, 1, now
    return save_version(room, 'code:shared', snippet, data.text)
  end,
  ['code:update'] = function(room, snippet)
    local data = call.data
    snippet.version = snippet.version + 1
    snippet.title = pick(data.title, snippet.title)
    snippet.language = pick(data.language, snippet.language)
    snippet.editors = data.editors or snippet.editors
    return save_version(room, 'code:updated', snippet, data.text)
  end,
  ['code:close'] = function(room, snippet)
    local field = get_field(snippet.number)
    redis.call('HDEL', room.snippets, field)
    redis.call('HDEL', room.code, field)
    if is_document(snippet) then
      delete_document(room, snippet.number)
    end
    publish(room, 'code:closed', { number = snippet.number, by = describe_caller(room), now = now }, {})
  end,
}

-- Finds the snippet of a command that is sent again.
local function find_shared(room)
  local found
  for _, snippet in ipairs(load_snippets(room)) do
    if snippet.id == call.commandId and is_author(snippet) then
      found = snippet
    end
  end
  return found
end

local function build_ack(room, snippet)
  local ack = encode_json({ epoch = room.epoch, seq = room.seq, now = now })
  return { 'OK', add_field(ack, 'snippet', snippet and encode_snippet(snippet)) }
end

local function handle(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not has_code(room) then
    return { 'FEATURE_OFF' }
  end
  local snippet = call.data.number and load_snippet(room, call.data.number)
  if is_repeated(room) then
    return build_ack(room, snippet or find_shared(room))
  end
  local refusal = CHECKS[call.command](room, snippet)
  if refusal then
    return refusal
  end
  if call.userId and not count(room, 'code\t' .. call.userId, settings.codeBurst, settings.codeIntervalMs) then
    return { 'RATE_LIMITED' }
  end
  snippet = ACTIONS[call.command](room, snippet)
  remember_command(room)
  return build_ack(room, snippet)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { call.userId and 'NOT_IN_ROOM' or 'NOT_LIVE' }
end
return handle(room)
