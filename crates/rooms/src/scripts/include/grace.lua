-- The grace period of a member whose connection was lost.

-- The entry is closed: the connection that made it can no longer act in the room.
local function begin_grace(room, user)
  local grace_until = now + settings.graceMs
  local entry = entry_of(room, user)
  entry.state = 'reconnecting'
  redis.call('HSET', room.entries, user, cjson.encode(entry))
  local member = cjson.decode(redis.call('HGET', room.members, user))
  member.state, member.graceUntil = 'reconnecting', grace_until
  redis.call('HSET', room.members, user, cjson.encode(member))
  redis.call('ZADD', room.grace, grace_until, user)
  expire(room, room.grace)
  let_go(room, user, entry)
  close_entry(room, entry.entryId)
  local data = { userId = user, userName = member.userName, graceUntil = grace_until }
  publish(room, 'room:participantReconnecting', data, {})
end
