-- Reads a room and checks a bridge's entries in it, for a bridge that may have missed events.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId; entries: list of {userId, entryId}, the bridge's entries in the room
--
-- Returns  {'OK', JSON {room?, gone}}  room: snapshot of a live room; gone: ids of the entries that are not current
--          {'SETTLE'}                  something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "entry"
--- @include "layout"
--- @include "publish"
--- @include "settled"

local function is_current(room, user, entry_id)
  local presence = load_presence(room, user)
  return presence and find_entry(presence, entry_id)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local elsewhere = not room.is_live and hand_over(room.id)
if elsewhere then
  return elsewhere
end
local gone = {}
for _, ref in ipairs(call.entries) do
  if not is_current(room, ref.userId, ref.entryId) then
    table.insert(gone, ref.entryId)
  end
end
-- cjson would encode an empty list as an object.
local json = #gone > 0 and cjson.encode({ gone = gone }) or '{"gone":[]}'
if room.is_live then
  json = '{"room":' .. encode_room(room, { groupId = room.public_id, seq = room.seq }) .. ',' .. string.sub(json, 2)
end
return { 'OK', json }
