-- Ends a room's session now, because the definition is deleted, unless the room has a newer definition.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers, chatMs, codeMs
-- ARGV[2]  call: roomId; revision, of the deletion
--
-- Returns  {'OK', '{}'}  also when nothing changes
--          {'SETTLE'}    something is overdue
--          {'AGAIN'}     more stays have to be ended
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:ended  the session was live

--- @include "change"
--- @include "layout"
--- @include "session_end"
--- @include "settled"

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local elsewhere = not room.is_live and hand_over(room.id)
if elsewhere then
  free_lock(room.id, call.revision)
  return elsewhere
end
if room.is_live and call.revision > room.revision and not end_session(room, 'ended') then
  schedule(room)
  return AGAIN
end
free_lock(room.id, call.revision)
return { 'OK', '{}' }
