-- Members and their entries. Entries fence every call: only one that is current can leave or be lost.

--- @include "attendance"
--- @include "host"
--- @include "lease"

-- Closes an entry for good. Copies of its events that arrive later, even of the join itself, then find it closed
-- and change nothing. It is remembered longer than a signed call stays valid.
local function close_entry(room, entry_id)
  redis.call('ZREMRANGEBYSCORE', room.closed, '-inf', now - settings.closedEntryMs)
  redis.call('ZADD', room.closed, now, entry_id)
  redis.call('PEXPIRE', room.closed, settings.closedEntryMs)
end

local function is_closed(room, entry_id)
  return redis.call('ZSCORE', room.closed, entry_id) ~= false
end

-- What the room keeps about a member and nobody sees: {entries, joinedAt, drops, awayMs, lostAt?}. Without an entry,
-- the member is within the grace period.
local function presence_of(room, user)
  local json = redis.call('HGET', room.entries, user)
  return json and cjson.decode(json)
end

local function save_presence(room, user, presence)
  redis.call('HSET', room.entries, user, cjson.encode(presence))
end

local function member_of(room, user)
  return cjson.decode(redis.call('HGET', room.members, user))
end

local function find_entry(presence, entry_id)
  for index, entry in ipairs(presence.entries) do
    if entry.entryId == entry_id then
      return index
    end
  end
end

-- Takes an entry from a member, who is not saved yet.
local function drop_entry(room, presence, index)
  local entry = table.remove(presence.entries, index)
  let_go(room, entry)
  close_entry(room, entry.entryId)
  return entry
end

-- Takes users out of the room and tells those who stay. kind: left, graceExpired or removed.
local function remove(room, users, kind)
  local gone = {}
  for _, user in ipairs(users) do
    local presence, user_name = presence_of(room, user), member_of(room, user).userName
    table.insert(gone, { userId = user, userName = user_name })
    while #presence.entries > 0 do
      drop_entry(room, presence, 1)
    end
    attended(room, user, user_name, presence, kind, now)
    redis.call('HDEL', room.members, user)
    redis.call('HDEL', room.entries, user)
    redis.call('ZREM', room.order, user)
    redis.call('ZREM', room.grace, user)
  end
  local is_host_new = elect_host(room)
  publish_change(room, kind, gone)
  if is_host_new then
    publish_host(room)
  end
end

-- Takes users out of the room against their will: their connections are told, and closed.
local function put_out(room, users)
  for _, user in ipairs(users) do
    for _, entry in ipairs(presence_of(room, user).entries) do
      dismiss(room, entry.entryId, 'room:removed')
    end
  end
  remove(room, users, 'removed')
end
