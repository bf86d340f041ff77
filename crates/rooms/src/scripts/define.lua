-- Applies a changed session definition to a live room, unless the room has the same or a newer revision.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs,
--          attendanceLimit, attendanceMs, sliceMembers, chatMs, codeMs
-- ARGV[2]  call: roomId; terms {revision, endAt, leaderId?, duplicates, capacity?, members?}
--
-- Returns  {'OK', '{}'}  also when nothing changes
--          {'SETTLE'}    something is overdue
--          {'AGAIN'}     more members have to be removed, or stays to be ended
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:leaderChanged        the leader is another user, or none
--          room:removed              to each connection of a member who is not listed
--          room:participantsChanged  members who are not listed are removed
--          room:hostChanged          the host is another member
--          room:rescheduled          the end moved
--          room:ended                instead of all of these: the new end has passed

--- @include "change"
--- @include "layout"
--- @include "session_end"
--- @include "settled"
--- @include "terms"

-- Returns members of the room who are not in the new list. The leader need not be listed.
local function find_unlisted(room)
  local listed = {}
  for _, user in ipairs(call.terms.members) do
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

-- Returns whether no unlisted member is left.
local function kick_unlisted(room)
  local unlisted = call.terms.members and find_unlisted(room) or {}
  if #unlisted > 0 then
    kick_members(room, { unpack(unlisted, 1, math.min(#unlisted, SLICE)) })
  end
  return #unlisted <= SLICE
end

local function change_leader(room)
  local old_leader = room.leader
  set_leader(room, call.terms)
  local member = room.leader and load_member(room, room.leader)
  if member then
    save_id_type(room, room.leader, member.userId ~= room.leader)
  end
  if room.leader ~= old_leader then
    publish(room, 'room:leaderChanged', { leaderId = get_public_leader(room) }, {})
  end
end

-- Returns whether all is done. The room gets the revision at the end: where one script does not suffice and the caller
-- dies, the next join finds the older revision and applies the definition again.
local function apply_definition(room)
  if call.terms.endAt <= now then
    return end_session(room, 'ended')
  end
  change_leader(room)
  if not kick_unlisted(room) then
    return false
  end
  local old_end = room.end_at
  set_terms(room, call.terms)
  if elect_host(room) then
    publish_host(room)
  end
  if room.end_at ~= old_end then
    local data = { groupId = room.public_id, endAt = room.end_at, remainMs = room.end_at - now }
    publish(room, 'room:rescheduled', data, {})
    set_ttl(room)
    for kind in pairs(KEPT_KINDS) do
      set_kept_ttl(room, kind)
    end
  end
  return true
end

-- A room whose session another kind of source has defined does not know the definition.
local function is_new(room)
  local revision = call.terms.revision
  return revision > room.revision or (revision == room.revision and not room.admits)
end

-- Forgets an announced change that has reached the room, or that can reach the store no longer.
local function forget_announced(room)
  if call.terms.revision >= room.announced or now - room.announced >= ANNOUNCED_MS then
    redis.call('HDEL', room.key, 'announced')
  end
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local elsewhere = not room.is_live and hand_over(room.id)
if elsewhere then
  free_lock(room.id, call.terms.revision)
  return elsewhere
end
if room.is_live and is_new(room) and not apply_definition(room) then
  schedule(room)
  return AGAIN
end
forget_announced(room)
schedule(room)
free_lock(room.id, call.terms.revision)
return { 'OK', '{}' }
