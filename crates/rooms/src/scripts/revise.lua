-- Begins a change of a session definition: assigns the revision and locks the definition until the change is complete.
--
-- Two changes at once could leave one definition in the store and the other in the room.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', JSON {revision, now}}  revision: that of the changed definition
--          {'CONFLICT'}                  another change has the lock
--
-- Events   none

--- @include "epoch"

-- Frees the lock of a caller that dies during a change.
local CHANGE_LIMIT_MS = 5000

if not redis.call('SET', build_key('revising', call.roomId), 1, 'NX', 'PX', CHANGE_LIMIT_MS) then
  return { 'CONFLICT' }
end
return { 'OK', cjson.encode({ revision = next_epoch(), now = now }) }
