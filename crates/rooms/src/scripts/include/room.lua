-- One room and its keys. They are derived from the shard's key instead of being declared one by one: the braces
-- in it keep them all in one slot, and the sweep learns only here which rooms it is about.

--- @include "call"

local SHARD = string.sub(KEYS[1], 1, -string.len('deadlines') - 1)

-- What is kept for as long as the session lives. The kind comes before the id, so that no id can make one key of
-- another.
local LIVE_KINDS = { 'room', 'members', 'entries', 'order', 'grace', 'nodes' }

local function key_of(kind, id)
  return SHARD .. kind .. ':' .. id
end

local function open(id)
  local key = key_of('room', id)
  local fields = redis.call('HMGET', key, 'epoch', 'seq', 'endAt', 'reminderAt', 'leaderId', 'hostId', 'revision',
    'duplicates', 'capacity')
  return {
    id = id,
    key = key,
    members = key_of('members', id),
    entries = key_of('entries', id),
    order = key_of('order', id),
    grace = key_of('grace', id),
    nodes = key_of('nodes', id),
    closed = key_of('closed', id),
    attendance = key_of('attendance', id),
    is_live = fields[1] and true,
    epoch = tonumber(fields[1] or 0),
    seq = tonumber(fields[2] or 0),
    end_at = tonumber(fields[3] or 0),
    reminder_at = tonumber(fields[4] or 0),
    leader = fields[5] or nil,
    host = fields[6] or nil,
    revision = tonumber(fields[7] or 0),
    duplicates = fields[8] or nil,
    capacity = tonumber(fields[9] or nil),
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

-- Lets what there is of a room vanish some time after the end, even if nobody ever clears it.
local function expire(room)
  for _, kind in ipairs(LIVE_KINDS) do
    redis.call('PEXPIREAT', key_of(kind, room.id), room.end_at + settings.retentionMs)
  end
  -- GT alone would never touch a key that has no expiry yet.
  redis.call('PEXPIREAT', KEYS[1], room.end_at + settings.retentionMs, 'NX')
  redis.call('PEXPIREAT', KEYS[1], room.end_at + settings.retentionMs, 'GT')
end
