-- Begins a change of a definition: gives it its revision, and keeps other changes out until it is through. Two at
-- once could leave the store with the one and the room with the other.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', JSON {revision, now}}
--          {'CONFLICT'}  another change is under way
-- Events   none

--- @include "epoch"

-- How long a change may take whose caller dies in the middle.
local CHANGE_LIMIT_MS = 5000

if not redis.call('SET', key_of('revising', call.roomId), 1, 'NX', 'PX', CHANGE_LIMIT_MS) then
  return { 'CONFLICT' }
end
return { 'OK', cjson.encode({ revision = new_epoch(), now = now }) }
