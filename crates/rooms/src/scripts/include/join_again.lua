-- Joins of users who are in the room already.

--- @include "join_entry"

-- Limits a user's entries, because scripts read and write all of them together.
local MAX_SHARED = 16

-- Publishes the user's id, name and role if the form of the id or the others differ from the member's earlier ones.
local function publish_update(room, earlier, except)
  local profile = call.profile
  local is_same = profile.userId == earlier.userId and profile.userName == earlier.userName
    and profile.userRole == earlier.userRole
  if not is_same then
    local user = { userId = profile.userId, userName = profile.userName, userRole = profile.userRole }
    publish_change(room, 'updated', { user }, except)
  end
end

-- Gives a present member the name and role of the user's latest token.
local function update_member(room, except)
  local earlier = load_member(room, USER)
  save_present_member(room, earlier.joinedAt)
  publish_update(room, earlier, except)
end

-- Restores a member who is within the grace period.
local function recover(room, presence)
  local earlier = load_member(room, USER)
  redis.call('ZREM', room.grace, USER)
  presence.awayMs, presence.lostAt = presence.awayMs + now - presence.lostAt, nil
  save_present_member(room, presence.joinedAt)
  local count = redis.call('HLEN', room.members)
  local data = { userId = call.profile.userId, userName = call.profile.userName, count = count }
  local options = { except = call.entryId, members = encode_roster(room, count) }
  publish(room, 'room:participantReconnected', data, options)
  publish_update(room, earlier, call.entryId)
  return build_ack(room, add_entry(room, presence, false, true))
end

-- Replaces an entry by the new one. Other members get no event about it: for them, the member was always present.
local function take_over(room, presence, index)
  local replaced = drop_entry(room, presence, index)
  publish_close(room, replaced.entryId, 'room:replaced')
  update_member(room, call.entryId)
  return build_ack(room, add_entry(room, presence, false, true))
end

-- Returns the index of the entry that the new one may replace.
local function find_replaceable(room, presence)
  if call.replaces then
    return find_entry(presence, call.replaces)
  end
  for index, entry in ipairs(presence.entries) do
    for _, hash in ipairs(entry.resumeHashes) do
      if hash == call.resumes then
        return index
      end
    end
  end
  return room.duplicates == 'takeover' and 1
end

-- Adds a connection to a member who has others.
local function add_connection(room, presence)
  local index = find_replaceable(room, presence)
  if index then
    return take_over(room, presence, index)
  end
  if room.duplicates ~= 'share' then
    return { 'ALREADY_JOINED' }
  end
  if #presence.entries >= MAX_SHARED then
    return { 'TOO_MANY_CONNECTIONS' }
  end
  update_member(room, call.entryId)
  return build_ack(room, add_entry(room, presence, false, false))
end
