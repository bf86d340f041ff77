-- Documents: snippets that several members edit at the same time. Updates are Base64, and no script reads them.
--
-- What a room stores:
-- documents  hash: number → JSON {edit, merged, stateBytes, logBytes}; number:state → the first updates as one;
--            number:edit → a later update. edit: how many updates the document has had; merged: how many of them are in
--            the state; stateBytes, logBytes: the lengths of the state and of the later updates

--- @include "snippet"

local function is_document(snippet)
  return snippet.editors == 'together'
end

local function get_part(number, name)
  return get_field(number) .. ':' .. name
end

local function load_document(room, number)
  return cjson.decode(redis.call('HGET', room.documents, get_field(number)))
end

local function save_document(room, number, document)
  redis.call('HSET', room.documents, get_field(number), cjson.encode(document))
  set_kept_ttl(room, 'documents')
end

-- Returns the names of the updates that are not merged.
local function list_log(number, document)
  local parts = {}
  for edit = document.merged + 1, document.edit do
    table.insert(parts, get_part(number, get_field(edit)))
  end
  return parts
end

local function create_document(room, number, state)
  redis.call('HSET', room.documents, get_part(number, 'state'), state)
  save_document(room, number, { edit = 0, merged = 0, stateBytes = string.len(state), logBytes = 0 })
end

local function delete_document(room, number)
  local parts = list_log(number, load_document(room, number))
  redis.call('HDEL', room.documents, get_field(number), get_part(number, 'state'), unpack(parts))
end

-- Returns a snippet and the updates of its document as JSON.
local function encode_document(room, snippet)
  local document = load_document(room, snippet.number)
  local log = list_log(snippet.number, document)
  local updates = redis.call('HMGET', room.documents, get_part(snippet.number, 'state'), unpack(log))
  return encode_with({ updates = updates, edit = document.edit, now = now }, 'snippet', encode_snippet(snippet))
end
