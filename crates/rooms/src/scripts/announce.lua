-- Announces a change of a session definition, just before the change reaches the store.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, closedEntryMs
-- ARGV[2]  call: roomId; revision, of the change
--
-- Returns  {'OK', '{}'}
--          {'CONFLICT'}  the change took so long that its lock has expired, and another change may have begun
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "change"
--- @include "layout"

local elsewhere = hand_over(call.roomId)
if elsewhere then
  free_lock(call.roomId, call.revision)
  return elsewhere
end
if not has_lock(call.roomId, call.revision) then
  return { 'CONFLICT' }
end
take_lock(call.roomId, call.revision)
announce(call.roomId, call.revision)
return { 'OK', '{}' }
