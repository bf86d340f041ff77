-- Joins of users who are in the room already.

--- @include "entry_rate"

-- Limits a user's entries, because scripts read and write all of them together.
local MAX_SHARED = 16

-- Whether the user's id has another form than the member's earlier one, or the name or role differs.
local function is_profile_new(earlier)
  local profile = call.profile
  return profile.userId ~= earlier.userId or profile.userName ~= earlier.userName
    or profile.userRole ~= earlier.userRole
end

-- Publishes the user's id, name and role if they are new.
local function publish_update(room, earlier, except)
  if is_profile_new(earlier) then
    local profile = call.profile
    local user = { userId = profile.userId, userName = profile.userName, userRole = profile.userRole }
    publish_change(room, 'updated', { user }, except)
  end
end

-- Gives a present member the name and role of the user's latest token.
local function update_member(room, except)
  local earlier = load_member(room, USER)
  save_present_member(room, earlier)
  publish_update(room, earlier, except)
end

-- Restores a member who is within the grace period.
local function recover(room, presence)
  local earlier = load_member(room, USER)
  end_grace_periods(room, { USER })
  presence.awayMs, presence.lostAt = presence.awayMs + now - presence.lostAt, nil
  presence.statusAt = presence.status and now
  save_present_member(room, earlier)
  local data = { userId = call.profile.userId, userName = call.profile.userName, count = count_members(room) }
  local options = { except = call.entryId, members = encode_roster(room) }
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

-- Returns the index of the entry that the client or the bridge names as its own earlier one.
local function find_earlier(presence)
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
end

-- Adds a connection beside or in place of another one, as the definition says.
local function add_duplicate(room, presence)
  local is_takeover = room.duplicates == 'takeover' and not call.replaces
  if not is_takeover and room.duplicates ~= 'share' then
    return { 'ALREADY_JOINED' }
  end
  if not is_takeover and #presence.entries >= MAX_SHARED then
    return { 'TOO_MANY_CONNECTIONS' }
  end
  -- Others learn nothing of a further connection that brings no new name.
  local is_seen = is_takeover or is_profile_new(load_member(room, USER))
  if is_seen and not count_entry(room) then
    return { 'RATE_LIMITED' }
  end
  if is_takeover then
    return take_over(room, presence, 1)
  end
  update_member(room, call.entryId)
  return build_ack(room, add_entry(room, presence, false, false))
end

-- Adds a connection to a member who has others. A client that comes back with its resume token is not limited.
local function add_connection(room, presence)
  local index = find_earlier(presence)
  if index then
    return take_over(room, presence, index)
  end
  return add_duplicate(room, presence)
end
