-- Brings a room up to now: whatever is overdue in it happens first, so that nothing depends on the sweep for
-- correctness, only for happening when nobody calls.

local function lapse(room, until_ms)
  local users = redis.call('ZRANGEBYSCORE', room.grace, '-inf', until_ms)
  if #users > 0 then
    remove(room, users, 'graceExpired')
  end
end

local function remind(room)
  if room.reminder_at == 0 or now < room.reminder_at then
    return
  end
  redis.call('HDEL', room.key, 'reminderAt')
  room.reminder_at = 0
  publish(room, 'room:reminder', { groupId = room.id, endAt = room.end_at, remainMs = room.end_at - now }, {})
end

local function finish(room, reason)
  publish(room, 'room:ended', { groupId = room.id, reason = reason }, { closes = true })
  local entries = redis.call('HGETALL', room.entries)
  for i = 1, #entries, 2 do
    local entry = cjson.decode(entries[i + 1])
    let_go(room, entries[i], entry)
    close_entry(room, entry.entryId)
  end
  redis.call('DEL', room.key, room.members, room.entries, room.order, room.grace)
  redis.call('ZREM', KEYS[1], room.id)
  -- The same call may start the next session in this room.
  room.is_live, room.host, room.reminder_at, room.seq = false, nil, 0, 0
end

local function settle(room)
  if not room.is_live then
    return
  end
  lapse(room, math.min(now, room.end_at))
  if now >= room.end_at then
    return finish(room, 'time')
  end
  remind(room)
end
