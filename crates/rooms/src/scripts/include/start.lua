-- Starts a session: the first to enter does it, exactly one, because scripts run one after another.

-- Sessions of one shard never share an epoch, even if Redis's clock steps back between them.
local function new_epoch()
  local key = SHARD .. 'epoch'
  local epoch = math.max(now, tonumber(redis.call('GET', key) or 0) + 1)
  redis.call('SET', key, string.format('%.0f', epoch))
  return epoch
end

local function start(room)
  room.is_live, room.epoch, room.seq = true, new_epoch(), 0
  room.end_at, room.leader = call.endAt, call.leaderId
  redis.call('HSET', room.key, 'epoch', room.epoch, 'endAt', room.end_at, 'leaderId', room.leader, 'startedAt', now)
  -- A session that begins within the lead gets no reminder: its members have just read the same from their acks.
  local reminder_at = room.end_at - settings.reminderLeadMs
  if reminder_at > now then
    room.reminder_at = reminder_at
    redis.call('HSET', room.key, 'reminderAt', reminder_at)
  end
  -- GT alone would never touch a key that has no expiry yet.
  redis.call('ZADD', KEYS[1], room.end_at, room.id)
  redis.call('PEXPIREAT', KEYS[1], room.end_at + settings.retentionMs, 'NX')
  redis.call('PEXPIREAT', KEYS[1], room.end_at + settings.retentionMs, 'GT')
end
