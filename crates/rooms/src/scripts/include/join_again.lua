-- Joins of users who are in the room already.

--- @include "join_entry"

-- Limits a user's entries, because scripts read and write all of them together.
local MAX_SHARED = 16

-- Restores a member who is within the grace period.
local function recover(room, presence)
  redis.call('ZREM', room.grace, USER)
  presence.awayMs, presence.lostAt = presence.awayMs + now - presence.lostAt, nil
  save_present_member(room, presence.joinedAt)
  local count = redis.call('HLEN', room.members)
  local data = { userId = call.profile.userId, userName = call.profile.userName, count = count }
  local options = { except = call.entryId, members = encode_roster(room, count) }
  publish(room, 'room:participantReconnected', data, options)
  return build_ack(room, add_entry(room, presence, false, true))
end

-- Replaces an entry by the new one. Other members get no event: for them, the member was present all the time.
local function take_over(room, presence, index)
  local replaced = drop_entry(room, presence, index)
  publish_close(room, replaced.entryId, 'room:replaced')
  save_present_member(room, presence.joinedAt)
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
  return build_ack(room, add_entry(room, presence, false, false))
end
