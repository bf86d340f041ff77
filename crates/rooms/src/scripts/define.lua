-- Applies a changed session definition to a live room, unless the room has the same or a newer revision.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs,
--          attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId; terms {revision, endAt, leaderId?, duplicates, capacity?};
--          members?: users who may be in the room; everybody without it
--
-- Returns  {'OK', '{}'}  also when nothing changes
--
-- Events   whatever was overdue; then
--          room:leaderChanged        the leader is another user, or none
--          room:removed              to each connection of a member who is not listed
--          room:participantsChanged  members who are not listed are removed
--          room:hostChanged          the host is another member
--          room:rescheduled          the end moved
--          room:ended                instead of all of these: the new end has passed

--- @include "settle"
--- @include "terms"

-- Returns members of the room who are not in the new list. The leader need not be listed.
local function find_unlisted(room)
  local listed = {}
  for _, user in ipairs(call.members) do
    listed[user] = true
  end
  local unlisted = {}
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    if not listed[user] and user ~= room.leader then
      table.insert(unlisted, user)
    end
  end
  return unlisted
end

local function kick_unlisted(room)
  local unlisted = call.members and find_unlisted(room) or {}
  if #unlisted > 0 then
    kick_members(room, unlisted)
  end
end

local function apply_terms(room)
  if call.terms.endAt <= now then
    return end_session(room, 'ended')
  end
  local old_leader, old_end = room.leader, room.end_at
  set_terms(room, call.terms)
  if room.leader ~= old_leader then
    publish(room, 'room:leaderChanged', { leaderId = get_public_leader(room) }, {})
  end
  kick_unlisted(room)
  if elect_host(room) then
    publish_host(room)
  end
  if room.end_at ~= old_end then
    local data = { groupId = room.public_id, endAt = room.end_at, remainMs = room.end_at - now }
    publish(room, 'room:rescheduled', data, {})
    set_ttl(room)
  end
end

local room = load_settled_room(call.roomId)
if room.is_live and call.terms.revision > room.revision then
  apply_terms(room)
end
schedule(room)
-- Frees the lock that revise.lua took.
redis.call('DEL', build_key('revising', room.id))
return { 'OK', '{}' }
