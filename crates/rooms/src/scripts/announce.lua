-- Announces a change of a session definition, just before the change reaches the store.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, closedEntryMs
-- ARGV[2]  call: roomId; revision, of the change
--
-- Returns  {'OK', '{}'}
--          {'CONFLICT'}  the change took so long that its lock has expired, and another change may have begun
--
-- Events   none

--- @include "change"

if not has_lock(call.roomId, call.revision) then
  return { 'CONFLICT' }
end
take_lock(call.roomId, call.revision)
announce(call.roomId, call.revision)
return { 'OK', '{}' }
