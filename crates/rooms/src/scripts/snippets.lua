-- Reads one of the snippets that members of a room share, or lists them all.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, codeReadBurst, codeReadIntervalMs,
--          codeMs
-- ARGV[2]  call: roomId; userId?, entryId? (a member's connection; an operator has none); data {number?, isLimited}
--
-- Returns  {'OK', JSON {snippet, text, now}}  of a number
--          {'OK', JSON {snippet, updates, edit, now}}  of the number of a document; updates: in order, as Base64, first
--                                    those that are merged as one; edit: how many the document has had
--          {'OK', JSON {snippets, now}}  without a number: all, oldest first, without their texts
--          {'NOT_LIVE'}               the room is not live, and keeps no snippets
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session shares no code
--          {'NO_SUCH_SNIPPET'}        there is no snippet of this number
--          {'RATE_LIMITED'}           the user reads snippets too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "document"
--- @include "layout"
--- @include "settled"

local function read(room)
  if call.data.number then
    local snippet = load_snippet(room, call.data.number)
    if not snippet then
      return { 'NO_SUCH_SNIPPET' }
    end
    return { 'OK', is_document(snippet) and encode_document(room, snippet) or encode_content(room, snippet) }
  end
  local list = {}
  for index, snippet in ipairs(load_snippets(room)) do
    list[index] = encode_snippet(snippet)
  end
  return { 'OK', encode_with({ now = now }, 'snippets', encode_list(list)) }
end

local function handle_live(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if call.userId and not has_code(room) then
    return { 'FEATURE_OFF' }
  end
  if call.data.isLimited and not count_read(room) then
    return { 'RATE_LIMITED' }
  end
  return read(room)
end

-- Operators read snippets that are kept after the end, too.
local function handle_ended(room)
  local elsewhere = hand_over(room.id)
  if elsewhere then
    return elsewhere
  end
  if call.userId then
    return { 'NOT_IN_ROOM' }
  end
  return redis.call('EXISTS', room.snippets) == 1 and read(room) or { 'NOT_LIVE' }
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
return room.is_live and handle_live(room) or handle_ended(room)
