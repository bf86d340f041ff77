-- Reads a room as it is now, for a bridge that may have missed events.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, seats (list of {userId, entryId}: what the bridge holds in the room)
--
-- Returns  {'OK', JSON {room?, gone}}: the room's state while it is live, and the entries that are not current
-- Events   whatever was overdue

--- @include "settle"

local room = open(call.roomId)

local function is_gone(seat)
  local presence = room.is_live and presence_of(room, seat.userId)
  return not (presence and find_entry(presence, seat.entryId))
end

settle(room)
schedule(room)
local gone = {}
for _, seat in ipairs(call.seats) do
  if is_gone(seat) then
    table.insert(gone, seat.entryId)
  end
end
local answer = { gone = gone }
-- An empty table would become an object.
local json = #gone > 0 and cjson.encode(answer) or '{"gone":[]}'
if room.is_live then
  json = '{"room":' .. describe(room, { groupId = room.id, seq = room.seq }) .. ',' .. string.sub(json, 2)
end
return { 'OK', json }
