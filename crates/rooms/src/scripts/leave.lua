-- Takes a member out of a room for good.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}, also when the entry is not current: then nothing changes
-- Events   room:participantsChanged, room:hostChanged

local room = open(call.roomId)
settle(room)
if is_current(room) then
  remove(room, { call.userId }, 'left')
end
close_entry(room, call.entryId)
schedule(room)
return { 'OK', '{}' }
