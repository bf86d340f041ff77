-- Changes of a definition. A change takes the room's lock, announces itself, reaches the store and then the room. A
-- join that finds an announced change in a room reads the store, so a change that broke off is found.

--- @include "room"

-- Frees the lock of a caller that dies during a change.
local CHANGE_LIMIT_MS = 5000

-- No call is under way for longer than closedEntryMs. So an announced change reaches the store within that time, and a
-- join that read the store before gets on with its work within as much again.
local ANNOUNCED_MS = 2 * settings.closedEntryMs

local function build_lock_key(id)
  return build_key('revising', id)
end

-- Takes the lock for the change with this revision, or keeps the lock for longer.
local function take_lock(id, revision)
  redis.call('SET', build_lock_key(id), revision, 'PX', CHANGE_LIMIT_MS)
end

local function has_lock(id, revision)
  return tonumber(redis.call('GET', build_lock_key(id))) == revision
end

-- Frees the lock, unless another change has it.
local function free_lock(id, revision)
  if has_lock(id, revision) then
    redis.call('DEL', build_lock_key(id))
  end
end

-- Announces a change to the room, if live, and to a session that starts soon. A session that starts later has a
-- definition that was read later.
local function announce(id, revision)
  redis.call('SET', build_key('announced', id), revision, 'PX', ANNOUNCED_MS)
  local room = build_key('room', id)
  if redis.call('EXISTS', room) == 1 then
    redis.call('HSET', room, 'announced', revision)
  end
end

-- Returns the revision of the last announced change of a room that is not live, or 0.
local function load_announced(id)
  return tonumber(redis.call('GET', build_key('announced', id)) or 0)
end
