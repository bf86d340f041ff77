-- Takes a member out of a room for good; one of several connections only itself.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}, also when the entry is not current: then nothing changes
-- Events   room:participantsChanged, room:hostChanged

--- @include "settle"

local room = open(call.roomId)
settle(room)
local presence = room.is_live and presence_of(room, call.userId)
local index = presence and find_entry(presence, call.entryId)
if index and #presence.entries > 1 then
  drop_entry(room, presence, index)
  save_presence(room, call.userId, presence)
elseif index then
  remove(room, { call.userId }, 'left')
end
close_entry(room, call.entryId)
schedule(room)
return { 'OK', '{}' }
