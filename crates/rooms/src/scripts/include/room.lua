-- One room and its keys. They are derived from the shard's key instead of being declared one by one: the braces
-- in it keep them all in one slot, and the sweep learns only here which rooms it is about.

local SHARD = string.sub(KEYS[1], 1, -string.len('deadlines') - 1)

local function open(id)
  local key = SHARD .. 'room:' .. id
  local fields = redis.call('HMGET', key, 'epoch', 'endAt', 'reminderAt', 'leaderId', 'hostId', 'seq')
  return {
    id = id,
    key = key,
    members = key .. ':members',
    entries = key .. ':entries',
    order = key .. ':order',
    grace = key .. ':grace',
    closed = key .. ':closed',
    is_live = fields[1] and true,
    epoch = tonumber(fields[1] or 0),
    end_at = tonumber(fields[2] or 0),
    reminder_at = tonumber(fields[3] or 0),
    leader = fields[4],
    host = fields[5],
    seq = tonumber(fields[6] or 0),
  }
end

-- Notes when the room is next due for the sweep.
local function schedule(room)
  if not room.is_live then
    return
  end
  local due = room.end_at
  if room.reminder_at > 0 then
    due = math.min(due, room.reminder_at)
  end
  local grace = redis.call('ZRANGE', room.grace, 0, 0, 'WITHSCORES')
  if grace[2] then
    due = math.min(due, tonumber(grace[2]))
  end
  redis.call('ZADD', KEYS[1], due, room.id)
end

-- Lets a key vanish some time after the end, even if nobody ever clears the room.
local function expire(room, key)
  redis.call('PEXPIREAT', key, room.end_at + settings.retentionMs)
end
