-- Enters a user into a room, or brings them back within their grace period.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: roomId, profile {userId, userName, userRole?}, entryId, nodeId, endAt, leaderId
--
-- Returns  {'OK', JSON of the ack's data}
--          {'SESSION_ENDED'}   the session's end has passed
--          {'ENTRY_CLOSED'}    a late copy of a join whose entry is over
--          {'ALREADY_JOINED'}  another connection of the user is in the room
-- Events   room:started, or room:participantsChanged, or room:participantReconnected; room:hostChanged

local room = open(call.roomId)
local user = call.profile.userId

local function answer(entry)
  local count = redis.call('HLEN', room.members)
  local data = {
    count = count,
    endAt = room.end_at,
    remainMs = room.end_at - now,
    leaderId = room.leader,
    hostId = room.host,
    epoch = room.epoch,
    seq = entry.seq,
    first = entry.first,
    recovered = entry.recovered,
  }
  return { 'OK', encode(data, 'members', roster(room, count)) }
end

local function save_entry(entry)
  redis.call('HSET', room.entries, user, cjson.encode(entry))
  hold(room, user, entry)
  for _, key in ipairs({ room.key, room.members, room.entries, room.order }) do
    expire(room, key)
  end
end

local function save_member(joined_at)
  local member = call.profile
  member.joinedAt, member.state = joined_at, 'present'
  redis.call('HSET', room.members, user, cjson.encode(member))
end

-- By a count and not by the time, which many can share: else the first of them would not be host for long.
local function take_place()
  redis.call('ZADD', room.order, redis.call('HINCRBY', room.key, 'entered', 1), user)
end

-- The entry remembers what its ack said, so that a join that is delivered twice is answered alike.
local function new_entry(is_first, is_recovered)
  return { entryId = call.entryId, nodeId = call.nodeId, state = 'present', first = is_first, recovered = is_recovered }
end

local function recover()
  local entry = new_entry(false, true)
  redis.call('ZREM', room.grace, user)
  save_member(cjson.decode(redis.call('HGET', room.members, user)).joinedAt)
  local count = redis.call('HLEN', room.members)
  local data = { userId = user, userName = call.profile.userName, count = count }
  publish(room, 'room:participantReconnected', data, { except = call.entryId, members = roster(room, count) })
  entry.seq = room.seq
  save_entry(entry)
  return entry
end

local function begin()
  local entry = new_entry(true, false)
  start(room)
  entry.seq = room.seq
  take_place()
  save_member(now)
  elect_host(room)
  save_entry(entry)
  local data = {
    groupId = room.id,
    startedAt = now,
    endAt = room.end_at,
    leaderId = room.leader,
    hostId = room.host,
    count = 1,
  }
  publish(room, 'room:started', data, { members = roster(room, 1) })
  return entry
end

local function enter()
  local entry = new_entry(false, false)
  take_place()
  save_member(now)
  local had_host = room.host
  local is_host_new = elect_host(room)
  publish_change(room, 'entered', { { userId = user, userName = call.profile.userName } }, call.entryId)
  entry.seq = room.seq
  save_entry(entry)
  if is_host_new and had_host then
    publish_host(room)
  end
  return entry
end

local function join()
  if is_closed(room, call.entryId) then
    return { 'ENTRY_CLOSED' }
  end
  local entry = entry_of(room, user)
  if entry and entry.state == 'present' and not has_lease(entry.nodeId) then
    -- Overdue, and the sweep has not come yet: the bridge that held the connection is gone.
    begin_grace(room, user)
    entry = entry_of(room, user)
  end
  if entry and entry.state == 'present' then
    if entry.entryId ~= call.entryId then
      return { 'ALREADY_JOINED' }
    end
    return answer(entry)
  end
  if not room.is_live and now >= call.endAt then
    return { 'SESSION_ENDED' }
  end
  if entry then
    return answer(recover())
  end
  if not room.is_live then
    return answer(begin())
  end
  return answer(enter())
end

settle(room)
local result = join()
schedule(room)
return result
