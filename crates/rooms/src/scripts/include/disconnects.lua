-- Lost connections.

--- @include "clock"
--- @include "entry"
--- @include "publish"

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

-- Prolongs the grace periods that pauses since the last script of the room have cut short.
local function prolong_grace_periods(room)
  local pause_ms = PAUSED_MS - room.paused_ms
  if pause_ms <= 0 then
    return
  end
  redis.call('HSET', room.key, 'pausedMs', PAUSED_MS)
  for _, user in ipairs(redis.call('ZRANGE', room.grace, 0, -1)) do
    local member = load_member(room, user)
    member.graceUntil = member.graceUntil + pause_ms
    save_reconnecting(room, user, member)
  end
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

-- Drops the entries of nodes whose lease ended. They count as lost when the lease ended and not when a script looks,
-- so that it makes no difference who settles a room, and when.
local function drop_expired_entries(room, until_ms)
  local ended = find_ended_leases(room, until_ms)
  if not next(ended) then
    return
  end
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
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
end
