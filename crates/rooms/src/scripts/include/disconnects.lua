-- Lost connections.

--- @include "clock"
--- @include "entry"
--- @include "publish"
--- @include "slice"

-- Stores a member without a connection, and tells the room until when the member may come back.
local function save_reconnecting(room, user, member)
  save_member(room, user, member)
  redis.call('ZADD', room.grace, member.graceUntil, user)
  local data = { userId = member.userId, userName = member.userName, graceUntil = member.graceUntil }
  publish(room, 'room:participantReconnecting', data, {})
end

-- Saves a member who lost an entry at the given time. The grace period starts if it was the last entry.
local function save_after_disconnect(room, user, presence, lost_at)
  if #presence.entries > 0 then
    return save_presence(room, user, presence)
  end
  presence.lostAt, presence.drops = lost_at, presence.drops + 1
  save_presence(room, user, presence)
  local member = load_member(room, user)
  member.state, member.graceUntil = 'reconnecting', lost_at + settings.graceMs
  save_reconnecting(room, user, member)
  redis.call('PEXPIREAT', room.grace, room.end_at + settings.retentionMs)
end

local function prolong_grace_period(room, user, pause_ms)
  local member = load_member(room, user)
  member.graceUntil = member.graceUntil + pause_ms
  save_reconnecting(room, user, member)
end

-- Prolongs the grace periods that pauses since the last script of the room have cut short. Begins with the last one, so
-- that those that are prolonged stay behind the others. Returns whether all are prolonged.
local function prolong_grace_periods(room)
  local paused_ms, done = room.prolong_to or PAUSED_MS, room.prolonged or 0
  if paused_ms <= room.paused_ms then
    return true
  end
  local users = redis.call('ZRANGE', room.grace, done, done + SLICE - 1, 'REV')
  for _, user in ipairs(users) do
    prolong_grace_period(room, user, paused_ms - room.paused_ms)
  end
  if not count_slice(#users) then
    redis.call('HSET', room.key, 'prolongTo', paused_ms, 'prolonged', done + #users)
    return false
  end
  redis.call('HSET', room.key, 'pausedMs', paused_ms)
  redis.call('HDEL', room.key, 'prolongTo', 'prolonged')
  -- The shard may have paused again meanwhile.
  return paused_ms == PAUSED_MS
end

-- Returns the room's nodes whose lease ended by the given time: node → end of the lease.
local function find_ended_leases(room, until_ms)
  local ended = {}
  for _, node in ipairs(redis.call('HKEYS', room.nodes)) do
    local ended_at = get_lease_end(node)
    if ended_at <= until_ms then
      ended[node] = ended_at
    end
  end
  return ended
end

-- Drops the member's entries of nodes whose lease ended.
local function drop_entries_of(room, user, ended)
  local presence, lost_at = load_presence(room, user), nil
  for index = #presence.entries, 1, -1 do
    local ended_at = ended[presence.entries[index].nodeId]
    if ended_at then
      drop_entry(room, presence, index)
      lost_at = math.max(lost_at or 0, ended_at)
    end
  end
  if lost_at then
    save_after_disconnect(room, user, presence, lost_at)
  end
end

-- Forgets a node whose entries are all dropped. Dropping the last one has done so already, unless the room lost data.
local function forget_nodes(room, nodes)
  for node in pairs(nodes) do
    redis.call('HDEL', room.nodes, node)
    redis.call('SREM', build_node_key(node), room.id)
  end
end

-- Looks at some members for entries of nodes whose lease ended. Returns whether these were the last ones.
local function drop_some_entries(room, ended, until_ms)
  local found = redis.call('ZRANGE', room.order, '(' .. (room.looked_to or 0), '+inf', 'BYSCORE', 'LIMIT', 0, SLICE,
    'WITHSCORES')
  for index = 1, #found, 2 do
    drop_entries_of(room, found[index], ended)
  end
  if not count_slice(#found / 2) then
    redis.call('HSET', room.key, 'lookedTo', found[#found], 'lookUntil', until_ms)
    return false
  end
  forget_nodes(room, ended)
  return true
end

-- Drops the entries of nodes whose lease ended. They count as lost when the lease ended and not when a script looks,
-- so that it makes no difference who settles a room, and when. Returns whether all are dropped.
local function drop_expired_entries(room, until_ms)
  -- Leases that end while scripts look at the members wait for the next look at all members.
  local look_until = room.look_until or until_ms
  local ended = find_ended_leases(room, look_until)
  if next(ended) and not drop_some_entries(room, ended, look_until) then
    return false
  end
  if not room.look_until then
    return true
  end
  redis.call('HDEL', room.key, 'lookedTo', 'lookUntil')
  return not next(find_ended_leases(room, until_ms))
end
