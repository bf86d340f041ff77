-- Enters a user into a room, or brings them back within their grace period.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs,
--          attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId, profile {userId, userName, userRole?}, entryId, nodeId, resumeHash (of the token that this
--          entry can be resumed with), resumes? (hash of the token that was presented), replaces? (the entry whose
--          socket this is as well), terms {revision (0 where the source
--          has none), endAt, leaderId, duplicates, capacity?}
--
-- Returns  {'OK', JSON of the ack's data}
--          {'REVISION', revision}    the room goes by another revision of the definition
--          {'SESSION_ENDED'}         the session's end has passed
--          {'ENTRY_CLOSED'}          a late copy of a join whose entry is over
--          {'ALREADY_JOINED'}        another connection of the user is in the room
--          {'TOO_MANY_CONNECTIONS'}  too many of the user's are
--          {'ROOM_FULL'}             the room has no place left
-- Events   room:started, or room:participantsChanged, or room:participantReconnected; room:hostChanged;
--          room:replaced to the entry whose place is taken

--- @include "lapse"
--- @include "terms"

-- All of a user's entries are read and written together.
local MAX_SHARED = 16

-- The place in the numbering of events that leaves even the first one to come.
local BEFORE_STARTED = 0

lapse_ended_lease(call.nodeId)
local room = open(call.roomId)
local user, terms = call.profile.userId, call.terms

-- `seq` is the last event that the answer stands for; without one it is the room's last, as for a copy of a join: that
-- is told of the room as it is when it comes, and would else get events that go back behind it.
local function answer(entry, seq)
  return { 'OK', describe(room, { seq = seq or room.seq, first = entry.first, recovered = entry.recovered }) }
end

-- The entry remembers how it came in, so that a join that is delivered twice is told so twice. The token that it
-- resumed with stays good beside its own: its answer may never have reached the client.
local function add_entry(presence, is_first, is_recovered)
  local entry = {
    entryId = call.entryId,
    nodeId = call.nodeId,
    resumeHashes = { call.resumeHash, call.resumes },
    first = is_first,
    recovered = is_recovered,
  }
  table.insert(presence.entries, entry)
  hold(room, entry)
  save_presence(room, user, presence)
  return entry
end

local function save_member(joined_at)
  local member = call.profile
  member.joinedAt, member.state = joined_at, 'present'
  redis.call('HSET', room.members, user, cjson.encode(member))
end

-- By a count and not by the time, which many can share: else the first of them would not be host for long.
local function take_place()
  redis.call('ZADD', room.order, redis.call('HINCRBY', room.key, 'entered', 1), user)
  save_member(now)
  return { entries = {}, joinedAt = now, drops = 0, awayMs = 0 }
end

local function begin()
  room.is_live, room.epoch, room.seq, room.end_at = true, new_epoch(), 0, 0
  redis.call('HSET', room.key, 'epoch', room.epoch, 'startedAt', now)
  set_terms(room, terms)
  local presence = take_place()
  elect_host(room)
  local entry = add_entry(presence, true, false)
  schedule(room)
  expire(room)
  local data = {
    groupId = room.id,
    startedAt = now,
    endAt = room.end_at,
    leaderId = room.leader,
    hostId = room.host,
    count = 1,
  }
  publish(room, 'room:started', data, { members = roster(room, 1) })
  return answer(entry, BEFORE_STARTED)
end

local function enter()
  local presence = take_place()
  local had_host = room.host
  local is_host_new = elect_host(room)
  publish_change(room, 'entered', { { userId = user, userName = call.profile.userName } }, call.entryId)
  local entry, seq = add_entry(presence, false, false), room.seq
  if not had_host then
    -- The room was empty, and an empty room has none of the keys that hold members.
    expire(room)
  elseif is_host_new then
    publish_host(room)
  end
  return answer(entry, seq)
end

local function recover(presence)
  redis.call('ZREM', room.grace, user)
  presence.awayMs, presence.lostAt = presence.awayMs + now - presence.lostAt, nil
  save_member(presence.joinedAt)
  local count = redis.call('HLEN', room.members)
  local data = { userId = user, userName = call.profile.userName, count = count }
  publish(room, 'room:participantReconnected', data, { except = call.entryId, members = roster(room, count) })
  return answer(add_entry(presence, false, true))
end

-- Nobody else is told: for them, the member was there all the time.
local function take_over(presence, index)
  local replaced = drop_entry(room, presence, index)
  dismiss(room, replaced.entryId, 'room:replaced')
  save_member(presence.joinedAt)
  return answer(add_entry(presence, false, true))
end

-- Which of the member's entries this call may take the place of.
local function replaceable(presence)
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

local function come_beside(presence)
  local index = replaceable(presence)
  if index then
    return take_over(presence, index)
  end
  if room.duplicates ~= 'share' then
    return { 'ALREADY_JOINED' }
  end
  if #presence.entries >= MAX_SHARED then
    return { 'TOO_MANY_CONNECTIONS' }
  end
  return answer(add_entry(presence, false, false))
end

-- Who has started the session is told so by the event, too, unless others have come since.
local function answer_again(entry)
  return answer(entry, entry.first and room.seq == 1 and BEFORE_STARTED)
end

-- The leader finds a place even in a full room.
local function is_full()
  return room.capacity and user ~= room.leader and redis.call('HLEN', room.members) >= room.capacity
end

local function join()
  if is_closed(room, call.entryId) then
    return { 'ENTRY_CLOSED' }
  end
  local presence = room.is_live and presence_of(room, user)
  local known = presence and find_entry(presence, call.entryId)
  if known then
    return answer_again(presence.entries[known])
  end
  if room.is_live and terms.revision > 0 and terms.revision ~= room.revision then
    return { 'REVISION', string.format('%.0f', room.revision) }
  end
  if not room.is_live then
    return now >= terms.endAt and { 'SESSION_ENDED' } or begin()
  end
  if not presence then
    return is_full() and { 'ROOM_FULL' } or enter()
  end
  if #presence.entries == 0 then
    return recover(presence)
  end
  return come_beside(presence)
end

settle(room)
local result = join()
schedule(room)
return result
