-- Lost connections.

--- @include "entry"

-- A member has lost an entry, as of the given time. They stay while they have another; else their grace period
-- starts.
local function after_loss(room, user, presence, lost_at)
  if #presence.entries > 0 then
    return save_presence(room, user, presence)
  end
  presence.lostAt, presence.drops = lost_at, presence.drops + 1
  save_presence(room, user, presence)
  local member = member_of(room, user)
  member.state, member.graceUntil = 'reconnecting', lost_at + settings.graceMs
  redis.call('HSET', room.members, user, cjson.encode(member))
  redis.call('ZADD', room.grace, member.graceUntil, user)
  redis.call('PEXPIREAT', room.grace, room.end_at + settings.retentionMs)
  local data = { userId = user, userName = member.userName, graceUntil = member.graceUntil }
  publish(room, 'room:participantReconnecting', data, {})
end

-- The nodes in this room whose lease ended up to the given time: node → when.
local function ended_leases(room, until_ms)
  local ended = {}
  for _, node in ipairs(redis.call('HKEYS', room.nodes)) do
    local ended_at = lease_end(node)
    if ended_at <= until_ms then
      ended[node] = ended_at
    end
  end
  return ended
end

-- Takes the connections of nodes that are gone for lost, as of the time at which their leases ended and not of the
-- time at which somebody looks: so it makes no difference who settles a room, and when.
local function lapse_leases(room, until_ms)
  local ended = ended_leases(room, until_ms)
  if not next(ended) then
    return
  end
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    local presence, lost_at = presence_of(room, user), nil
    for index = #presence.entries, 1, -1 do
      local ended_at = ended[presence.entries[index].nodeId]
      if ended_at then
        drop_entry(room, presence, index)
        lost_at = math.max(lost_at or 0, ended_at)
      end
    end
    if lost_at then
      after_loss(room, user, presence, lost_at)
    end
  end
end
