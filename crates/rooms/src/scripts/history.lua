-- Reads a page of the messages of a room.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: roomId; userId?, entryId? (a member's connection; an operator has none); data {before?, after?, limit}
--
-- Returns  {'OK', JSON {messages, deleted, first?, last?, more, slowMs?, mutedUntil?, mutes?, now}}
--                                    messages: oldest first; deleted: numbers of messages that were deleted; first, last:
--                                    the numbers at which the pages before and after begin; more: whether more follow in
--                                    the direction of the request; mutes: {userId, mutedUntil} of each user who is muted
--          {'NOT_LIVE'}               the room is not live, and keeps no messages
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session has no chat
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "chat"
--- @include "layout"
--- @include "publish"
--- @include "settled"

-- The most bytes of the items of a page, so that a batch of replies fits into one response. Each item is much smaller.
local MAX_BYTES = 64 * 1024

-- The most mutes of a page, the longest of them.
local MAX_MUTES = 100

-- Returns items in the direction of the request, with their numbers, and one more than the limit if there are more.
local function find_items(room)
  local data = call.data
  if data.after then
    return redis.call('ZRANGE', room.chat, string.format('(%.0f', data.after), '+inf', 'BYSCORE', 'LIMIT', 0,
      data.limit + 1, 'WITHSCORES')
  end
  local before = data.before and string.format('(%.0f', data.before) or '+inf'
  return redis.call('ZRANGE', room.chat, before, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, data.limit + 1, 'WITHSCORES')
end

-- Returns the items of the page, oldest first, and whether more follow.
local function cut_page(found)
  local items, bytes = {}, 0
  for index = 1, math.min(#found, 2 * call.data.limit), 2 do
    bytes = bytes + string.len(found[index])
    if bytes > MAX_BYTES then
      break
    end
    local item = { json = found[index], number = tonumber(found[index + 1]) }
    table.insert(items, call.data.after and #items + 1 or 1, item)
  end
  return items, #items < #found / 2
end

local function list_mutes(room)
  local found = redis.call('ZRANGE', room.muted, '+inf', string.format('(%.0f', now), 'BYSCORE', 'REV', 'LIMIT', 0,
    MAX_MUTES, 'WITHSCORES')
  local mutes = {}
  for index = 1, #found, 2 do
    local mute = { userId = find_public_id(room, found[index]), mutedUntil = bound_mute(room, found[index + 1]) }
    table.insert(mutes, encode_json(mute))
  end
  return mutes
end

local function build_page(room)
  local items, more = cut_page(find_items(room))
  local messages, deleted = {}, {}
  for _, item in ipairs(items) do
    local deletes = cjson.decode(item.json).deletes
    table.insert(deletes and deleted or messages, deletes or item.json)
  end
  local page = { more = more, now = now }
  if #items > 0 then
    page.first, page.last = items[1].number, items[#items].number
  end
  page.slowMs = room.slow_ms
  page.mutedUntil = call.userId and find_mute(room, call.userId)
  local json = add_field(encode_json(page), 'deleted', encode_list(deleted))
  local mutes = room.is_live and list_mutes(room) or {}
  if #mutes > 0 then
    json = add_field(json, 'mutes', encode_list(mutes))
  end
  return { 'OK', add_field(json, 'messages', encode_list(messages)) }
end

local function handle_live(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not load_chat(room) and call.userId then
    return { 'FEATURE_OFF' }
  end
  return build_page(room)
end

-- Operators read messages that are kept after the end, too.
local function handle_ended(room)
  local elsewhere = hand_over(room.id)
  if elsewhere then
    return elsewhere
  end
  if call.userId then
    return { 'NOT_IN_ROOM' }
  end
  return redis.call('EXISTS', room.chat) == 1 and build_page(room) or { 'NOT_LIVE' }
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
return room.is_live and handle_live(room) or handle_ended(room)
