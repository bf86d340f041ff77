-- Changes the status and the goal of the member who calls.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, statusBurst, statusIntervalMs
-- ARGV[2]  call: roomId, userId, entryId; commandId; command: member:update; data: {status?, goal?}; null removes what
--          was there, and what is absent stays
--
-- Returns  {'OK', JSON {userId, userName, status?, goal?, epoch, seq, now}}  also for a command that was applied before,
--                                    or changes nothing; seq: the last event that the ack includes
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session does without
--          {'RATE_LIMITED'}           the user changes the status or the goal too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:memberUpdated  the status or the goal has changed

--- @include "caller"
--- @include "command"
--- @include "layout"
--- @include "publish"
--- @include "rate_limit"
--- @include "settled"
--- @include "status"

-- Applies the command to the member. Returns whether that changes anything.
local function apply(member)
  local has_changed = false
  for _, field in ipairs({ 'status', 'goal' }) do
    local value = call.data[field]
    if value ~= nil then
      value = value ~= cjson.null and value or nil
      has_changed = has_changed or member[field] ~= value
      member[field] = value
    end
  end
  return has_changed
end

local function describe(member)
  return { userId = member.userId, userName = member.userName, status = member.status, goal = member.goal, now = now }
end

local function build_ack(room, member)
  local ack = describe(member)
  ack.epoch, ack.seq = room.epoch, room.seq
  return { 'OK', encode_json(ack) }
end

local function handle(room)
  local presence = load_presence(room, call.userId)
  if not presence or not find_entry(presence, call.entryId) then
    return { 'NOT_IN_ROOM' }
  end
  if not has_feature(redis.call('HGET', room.key, 'features'), 'status') then
    return { 'FEATURE_OFF' }
  end
  local member = load_member(room, call.userId)
  if is_repeated(room) or not apply(member) then
    return build_ack(room, member)
  end
  if not count(room, 'status\t' .. call.userId, settings.statusBurst, settings.statusIntervalMs) then
    return { 'RATE_LIMITED' }
  end
  remember_command(room)
  if presence.status ~= member.status then
    set_status(presence, member.status)
    save_presence(room, call.userId, presence)
  end
  save_member(room, call.userId, member)
  publish(room, 'room:memberUpdated', describe(member), {})
  return build_ack(room, member)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_IN_ROOM' }
end
return handle(room)
