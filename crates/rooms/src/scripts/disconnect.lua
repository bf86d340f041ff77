-- Starts the grace period of a member whose connection was lost, unless they have another.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}, also when the entry is not current: then nothing changes
-- Events   room:participantReconnecting

--- @include "settle"

local room = open(call.roomId)
settle(room)
local presence = room.is_live and presence_of(room, call.userId)
local index = presence and find_entry(presence, call.entryId)
if index then
  drop_entry(room, presence, index)
  after_loss(room, call.userId, presence, now)
end
-- Also when the bridge never learned whether its join arrived: should it still come, it comes too late.
close_entry(room, call.entryId)
schedule(room)
return { 'OK', '{}' }
