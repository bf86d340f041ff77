-- Starts the grace period of a member whose connection was lost.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}, also when the entry is not current: then nothing changes
-- Events   room:participantReconnecting

local room = open(call.roomId)

settle(room)
if is_current(room) then
  begin_grace(room, call.userId)
end
-- Also when the bridge never learned whether its join arrived: should it still come, it comes too late.
close_entry(room, call.entryId)
schedule(room)
return { 'OK', '{}' }
