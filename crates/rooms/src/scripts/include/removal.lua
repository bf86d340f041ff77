-- Ends stays of members.

--- @include "attendance"
--- @include "entry"
--- @include "host"

-- Closes all entries of a member and records the stay. Returns the member. ending: as in build_stay
local function end_stay(room, user, ending, until_ms)
  local presence, member = load_presence(room, user), load_member(room, user)
  while #presence.entries > 0 do
    drop_entry(room, presence, 1)
  end
  record_stay(room, user, member, build_stay(room, presence, ending, until_ms))
  return member
end

local function delete_members(room, users)
  redis.call('HDEL', room.members, unpack(users))
  redis.call('HDEL', room.entries, unpack(users))
  redis.call('ZREM', room.order, unpack(users))
  end_grace_periods(room, users)
  forget_members(room)
end

-- Removes members from the room and publishes the change. kind: left, graceExpired or removed
local function remove_members(room, users, kind)
  local removed, is_host_gone = {}, false
  for _, user in ipairs(users) do
    local member = end_stay(room, user, kind, now)
    table.insert(removed, { userId = member.userId, userName = member.userName })
    is_host_gone = is_host_gone or user == room.host
  end
  delete_members(room, users)
  local is_host_new = is_host_gone and elect_host(room)
  publish_change(room, kind, removed)
  if is_host_new then
    publish_host(room)
  end
end

-- Removes members against their will. Their bridges close the connections.
local function kick_members(room, users)
  for _, user in ipairs(users) do
    for _, entry in ipairs(load_presence(room, user).entries) do
      publish_close(room, entry.entryId, 'room:removed')
    end
  end
  remove_members(room, users, 'removed')
end
