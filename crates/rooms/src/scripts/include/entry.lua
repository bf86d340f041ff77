-- Members and their entries. Entries fence calls: a leave or a disconnect takes effect only if it names a current
-- entry.

--- @include "lease"
--- @include "member"

-- Closes an entry for good. Copies of its events that arrive later, even of its join, change nothing. Redis keeps the
-- closed entry for longer than a signed call stays valid.
local function close_entry(room, entry_id)
  redis.call('ZREMRANGEBYSCORE', room.closed, '-inf', now - settings.closedEntryMs)
  redis.call('ZADD', room.closed, now, entry_id)
  redis.call('PEXPIRE', room.closed, settings.closedEntryMs)
end

local function is_closed(room, entry_id)
  return redis.call('ZSCORE', room.closed, entry_id) ~= false
end

-- Loads a member's internal state, which no client sees: {entries, joinedAt, drops, awayMs (the time without a
-- connection), lostAt?, status?, statusAt? (until when its time is counted), statusMs? (by status)}. A member without
-- entries is within the grace period. A room that is not live has no members.
local function load_presence(room, user)
  local json = redis.call('HGET', room.entries, user)
  return json and cjson.decode(json)
end

local function save_presence(room, user, presence)
  redis.call('HSET', room.entries, user, cjson.encode(presence))
end

-- Returns the index of an entry among the member's entries.
local function find_entry(presence, entry_id)
  for index, entry in ipairs(presence.entries) do
    if entry.entryId == entry_id then
      return index
    end
  end
end

-- Removes an entry from a member and closes it. The caller saves the presence.
local function drop_entry(room, presence, index)
  local entry = table.remove(presence.entries, index)
  release(room, entry)
  close_entry(room, entry.entryId)
  return entry
end
