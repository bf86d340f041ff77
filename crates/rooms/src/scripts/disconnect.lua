-- Starts the grace period of a member whose connection was lost.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: roomId, userId, entryId
--
-- Returns  {'OK', '{}'}, also when the entry is not current: then nothing changes
-- Events   room:participantReconnecting

local room = open(call.roomId)
local user = call.userId

local function begin_grace()
  local grace_until = now + settings.graceMs
  local entry = entry_of(room, user)
  entry.state = 'reconnecting'
  redis.call('HSET', room.entries, user, cjson.encode(entry))
  local member = cjson.decode(redis.call('HGET', room.members, user))
  member.state, member.graceUntil = 'reconnecting', grace_until
  redis.call('HSET', room.members, user, cjson.encode(member))
  redis.call('ZADD', room.grace, grace_until, user)
  expire(room, room.grace)
  local data = { userId = user, userName = member.userName, graceUntil = grace_until }
  publish(room, 'room:participantReconnecting', data, {})
end

settle(room)
if is_current(room) then
  begin_grace()
end
-- Also when the bridge never learned whether its join arrived: should it still come, it comes too late.
close_entry(room, call.entryId)
schedule(room)
return { 'OK', '{}' }
