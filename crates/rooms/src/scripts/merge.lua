-- Puts what updates of a document are together in their place. Updates that came meanwhile stay.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, retentionMs, codeMs
-- ARGV[2]  call: roomId; data {number, merged, edit, logBytes, state, bytes}. merged: how many updates were in the state
--          before; edit: how many are now, at least one more; logBytes: the length of the updates in between; state: all together, in Base64;
--          bytes: the length of the text
--
-- Returns  {'OK', '{}'}                also if the document is gone, or another call has merged these updates
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "document"
--- @include "layout"
--- @include "settled"

local function merge(room, snippet, document)
  local number = snippet.number
  local parts = list_log(number, { merged = document.merged, edit = call.data.edit })
  redis.call('HSET', room.documents, get_part(number, 'state'), call.data.state)
  redis.call('HDEL', room.documents, unpack(parts))
  document.merged, document.stateBytes = call.data.edit, string.len(call.data.state)
  document.logBytes = document.logBytes - call.data.logBytes
  save_document(room, number, document)
  snippet.bytes = call.data.bytes
  save_snippet(room, snippet)
end

local function handle(room)
  local snippet = load_snippet(room, call.data.number)
  local document = snippet and load_document(room, snippet.number)
  if document and document.merged == call.data.merged then
    merge(room, snippet, document)
  end
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'OK', '{}' }
end
handle(room)
return { 'OK', '{}' }
