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
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "change"
--- @include "epoch"
--- @include "layout"

if redis.call('EXISTS', build_lock_key(call.roomId)) == 1 then
  return { 'CONFLICT' }
end
local elsewhere = hand_over(call.roomId)
if elsewhere then
  return elsewhere
end
local revision = next_epoch()
take_lock(call.roomId, revision)
return { 'OK', cjson.encode({ revision = revision, now = now }) }
