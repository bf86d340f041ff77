-- Adds an update to a document that members edit together, or shows the others where a member is in it.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, documentBurst, documentIntervalMs, codeMs
-- ARGV[2]  call: roomId, userId, entryId; command and data: document:update {number, update};
--          document:awareness {number, update}. Updates are Base64
--
-- Returns  {'OK', JSON {edit, now, merge?}}  edit: how many updates the document has had; merge: whether so many of them
--                                    are not merged that they should be. The same update has no second effect in the
--                                    editors, so a command that comes again is added again
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session shares no code
--          {'MUTED'}                  the user may write nothing at the moment
--          {'NO_SUCH_SNIPPET'}        there is no snippet of this number
--          {'NOT_TOGETHER'}           the snippet is no document
--          {'RATE_LIMITED'}           the user does this too often
--          {'DOCUMENT_FULL'}          the document is as large as is allowed
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   document:updated    somebody has changed the document
--          document:awareness  where somebody is in it
--          Only those who have the document open get them. The events take no sequence number of the room

--- @include "document"
--- @include "layout"
--- @include "settled"

-- The most bytes of Base64 in a document.
local MAX_BYTES = 384 * 1024

-- After so many updates, or so many bytes, those that are not merged should be.
local MERGE_EDITS = 64
local MERGE_BYTES = 64 * 1024

-- The most updates that are not merged, if merging fails again and again: Lua takes so many values at once.
local MAX_LOG = 4000

-- Tells those who have the document open.
local function publish_to_editors(room, event, data)
  data.number, data.update, data.now = call.data.number, call.data.update, now
  data.userId = describe_caller(room).userId
  local envelope = { event = event, epoch = room.epoch, seq = room.seq, document = data.number, except = call.entryId }
  publish_envelope(room, envelope, encode_json(data))
end

local function is_full(document)
  return document.stateBytes + document.logBytes + string.len(call.data.update) > MAX_BYTES
    or document.edit - document.merged >= MAX_LOG
end

-- Whether one update more calls for a merge. Only every so many updates do, because a call may be merging already.
local function calls_for_merge(document, bytes)
  local has_many = (document.edit - document.merged) % MERGE_EDITS == 0
  return has_many or math.floor(document.logBytes / MERGE_BYTES) > (document.logBytes - bytes) / MERGE_BYTES
end

local function acknowledge(document, merge)
  return { 'OK', cjson.encode({ edit = document.edit, now = now, merge = merge }) }
end

-- What the commands do. Each returns the ack.
local ACTIONS = {
  ['document:update'] = function(room, snippet)
    local document, update = load_document(room, snippet.number), call.data.update
    if is_full(document) then
      return { 'DOCUMENT_FULL' }
    end
    document.edit, document.logBytes = document.edit + 1, document.logBytes + string.len(update)
    redis.call('HSET', room.documents, get_part(snippet.number, get_field(document.edit)), update)
    save_document(room, snippet.number, document)
    snippet.updatedBy, snippet.updatedAt = describe_caller(room), now
    save_snippet(room, snippet)
    publish_to_editors(room, 'document:updated', { edit = document.edit })
    return acknowledge(document, calls_for_merge(document, string.len(update)))
  end,
  ['document:awareness'] = function(room, snippet)
    publish_to_editors(room, 'document:awareness', {})
    return acknowledge(load_document(room, snippet.number))
  end,
}

local function find_refusal(room, snippet)
  if find_mute(room, call.userId) then
    return { 'MUTED' }
  end
  if not snippet then
    return { 'NO_SUCH_SNIPPET' }
  end
  if not is_document(snippet) then
    return { 'NOT_TOGETHER' }
  end
  local is_allowed = count(room, 'document\t' .. call.userId, settings.documentBurst, settings.documentIntervalMs)
  return not is_allowed and { 'RATE_LIMITED' }
end

local function handle(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not has_code(room) then
    return { 'FEATURE_OFF' }
  end
  local snippet = load_snippet(room, call.data.number)
  return find_refusal(room, snippet) or ACTIONS[call.command](room, snippet)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_IN_ROOM' }
end
return handle(room)
