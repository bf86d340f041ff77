-- Entries fence every call: only the entry that holds a membership can leave or lose it.

-- Closes an entry for good. Copies of its events that arrive later, even of the join itself, then find it closed
-- and change nothing. It is remembered longer than a signed call stays valid.
local function close_entry(room, entry)
  redis.call('ZREMRANGEBYSCORE', room.closed, '-inf', now - settings.closedEntryMs)
  redis.call('ZADD', room.closed, now, entry)
  redis.call('PEXPIRE', room.closed, settings.closedEntryMs)
end

local function is_closed(room, entry)
  return redis.call('ZSCORE', room.closed, entry) ~= false
end

local function entry_of(room, user)
  local json = redis.call('HGET', room.entries, user)
  return json and cjson.decode(json)
end

-- Whether the call's entry holds the membership that it names, with a live connection.
local function is_current(room)
  local entry = entry_of(room, call.userId)
  return entry and entry.state == 'present' and entry.entryId == call.entryId
end

-- Takes users out of the room and tells those who stay. kind: left or graceExpired.
local function remove(room, users, kind)
  local gone = {}
  for _, user in ipairs(users) do
    local member = cjson.decode(redis.call('HGET', room.members, user))
    table.insert(gone, { userId = user, userName = member.userName })
    let_go(room, user, entry_of(room, user))
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
