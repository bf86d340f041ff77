-- Joins of users who are not in the room.

--- @include "clock"
--- @include "entry_rate"
--- @include "epoch"
--- @include "host"
--- @include "join_entry"
--- @include "terms"

-- Sequence number in the ack of the member who starts the session: no event, so the client also gets room:started.
local BEFORE_STARTED = 0

local function start_session(room)
  room.is_live, room.epoch, room.seq = true, next_epoch(), 0
  redis.call('HSET', room.key, 'epoch', room.epoch, 'startedAt', now, 'pausedMs', PAUSED_MS)
  set_public_id(room, call.groupId)
  set_leader(room, call.terms)
  set_terms(room, call.terms)
  if room.announced > call.terms.revision then
    -- The change may still reach the store.
    redis.call('HSET', room.key, 'announced', room.announced)
  end
  count_entry(room)
  local presence = add_member(room)
  elect_host(room)
  local entry = add_entry(room, presence, true, false)
  schedule(room)
  redis.call('ZADD', ROOMS, 0, room.id)
  set_ttl(room)
  local data = {
    groupId = room.public_id,
    startedAt = now,
    endAt = room.end_at,
    leaderId = get_public_leader(room),
    hostId = get_public_host(room),
    count = 1,
  }
  publish(room, 'room:started', data, { members = encode_roster(room) })
  return build_ack(room, entry, BEFORE_STARTED)
end

-- The leader may enter a full room.
local function is_full(room)
  return room.capacity and USER ~= room.leader and count_members(room) >= room.capacity
end

local function enter_live_room(room)
  if is_full(room) then
    return { 'ROOM_FULL' }
  end
  if not count_entry(room) then
    return { 'RATE_LIMITED' }
  end
  local presence = add_member(room)
  local had_host = room.host
  -- Nobody but the first member and the leader becomes host by entering.
  local is_host_new = (not had_host or USER == room.leader) and elect_host(room)
  publish_change(room, 'entered', { { userId = call.profile.userId, userName = call.profile.userName } }, call.entryId)
  local entry, seq = add_entry(room, presence, false, false), room.seq
  if not had_host then
    -- An empty room has no keys for members, so these are new.
    set_ttl(room)
  elseif is_host_new then
    publish_host(room)
  end
  return build_ack(room, entry, seq)
end
