-- Applies a changed definition to a room that is live. A revision that is not newer than the room's changes nothing.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs
-- ARGV[2]  call: roomId, terms {revision, endAt, leaderId, duplicates, capacity?}, members? (who may be there; without
--          it, everybody)
--
-- Returns  {'OK', '{}'}
-- Events   room:leaderChanged, room:removed to those who are put out, room:participantsChanged, room:hostChanged,
--          room:rescheduled; or room:ended

--- @include "settle"
--- @include "terms"

local room = open(call.roomId)
local terms = call.terms

-- Who is in the room and not in the new list.
local function unlisted()
  local listed = { [terms.leaderId] = true }
  for _, user in ipairs(call.members) do
    listed[user] = true
  end
  local users = {}
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    if not listed[user] then
      table.insert(users, user)
    end
  end
  return users
end

local function apply()
  if terms.endAt <= now then
    return finish(room, 'ended')
  end
  local had_leader, had_end = room.leader, room.end_at
  set_terms(room, terms)
  if room.leader ~= had_leader then
    publish(room, 'room:leaderChanged', { leaderId = room.leader }, {})
  end
  local users = call.members and unlisted() or {}
  if #users > 0 then
    put_out(room, users)
  end
  if room.host and elect_host(room) then
    publish_host(room)
  end
  if room.end_at ~= had_end then
    local data = { groupId = room.id, endAt = room.end_at, remainMs = room.end_at - now }
    publish(room, 'room:rescheduled', data, {})
    expire(room)
  end
end

settle(room)
if room.is_live and terms.revision > room.revision then
  apply()
end
schedule(room)
-- The change is through; see revise.lua.
redis.call('DEL', key_of('revising', room.id))
return { 'OK', '{}' }
