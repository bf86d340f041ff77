-- A room and its keys. Scripts derive the keys from the shard's key instead of declaring each one: the braces in the
-- shard's key keep all of them in one slot, and the sweep finds out only inside the script which rooms are due.

--- @include "call"
--- @include "deadline"
--- @include "grace"
--- @include "ids"

local SHARD = string.sub(KEYS[1], 1, -string.len('deadlines') - 1)

-- Sorted set of the ids of live rooms, all with the same score: so Redis orders them by their bytes. Lua would compare
-- them by the server's locale, to which different ids can be the same.
local ROOMS = SHARD .. 'rooms'

-- Kinds of keys that last as long as the session.
local LIVE_KINDS = { 'room', 'members', 'entries', 'order', 'grace', 'nodes', 'rate', 'listed', 'commands',
  'muted' }

-- Kinds of keys that outlast the session by these times: what members have written.
local KEPT_KINDS = { chat = settings.chatMs, snippets = settings.codeMs, code = settings.codeMs,
  documents = settings.codeMs }

-- The kind comes before the id, so that no room id can imitate a key of another room.
local function build_key(kind, id)
  return SHARD .. kind .. ':' .. id
end

-- Loads a room. A room that is not live has no keys, and only the names of its keys here.
local function load_room(id)
  local key = build_key('room', id)
  local fields = redis.call('HMGET', key, 'epoch', 'seq', 'endAt', 'reminderAt', 'leaderId', 'hostId', 'revision',
    'duplicates', 'capacity', 'isNumber', 'isLeaderNumber', 'pausedMs', 'admits', 'announced', 'prolongTo', 'prolonged',
    'lookedTo', 'lookUntil', 'endedAt', 'isHostNumber', 'timer', 'phaseEndsAt')
  return {
    id = id,
    public_id = build_public_id(id, fields[10]),
    key = key,
    members = build_key('members', id),
    entries = build_key('entries', id),
    order = build_key('order', id),
    grace = build_key('grace', id),
    nodes = build_key('nodes', id),
    rate = build_key('rate', id),
    listed = build_key('listed', id),
    commands = build_key('commands', id),
    muted = build_key('muted', id),
    chat = build_key('chat', id),
    snippets = build_key('snippets', id),
    code = build_key('code', id),
    documents = build_key('documents', id),
    closed = build_key('closed', id),
    stays = build_key('stays', id),
    attendees = build_key('attendees', id),
    is_live = fields[1] and true,
    epoch = tonumber(fields[1]),
    seq = tonumber(fields[2]),
    end_at = tonumber(fields[3]),
    reminder_at = tonumber(fields[4]),
    leader = fields[5] or nil,
    is_leader_number = fields[11] ~= false,
    host = fields[6] or nil,
    is_host_number = fields[20] ~= false,
    revision = tonumber(fields[7]),
    duplicates = fields[8],
    capacity = tonumber(fields[9]),
    -- The part of the shard's pauses that the room's grace periods include.
    paused_ms = tonumber(fields[12]),
    -- Whom the definition admits: all, or those who are listed; none if the room does not know the definition.
    admits = fields[13],
    -- The last change that may have reached the store and has not reached the room.
    announced = tonumber(fields[14] or 0),
    -- Where the next slice goes on. Grace periods are prolonged up to this part of the pauses, and so many are done.
    prolong_to = tonumber(fields[15]),
    prolonged = tonumber(fields[16]),
    -- Members up to this position have no entries of nodes whose lease ended by then.
    looked_to = fields[17],
    look_until = tonumber(fields[18]),
    -- When the session ended, while some of its stays are not recorded.
    ended_at = tonumber(fields[19]),
    -- The timer as JSON, and when its phase ends.
    timer = fields[21] or nil,
    phase_ends_at = tonumber(fields[22]),
  }
end

-- Stores a field of the room, or deletes the field if there is no value.
local function set_field(room, name, value)
  if value then
    redis.call('HSET', room.key, name, value)
  else
    redis.call('HDEL', room.key, name)
  end
end

-- Removes a room from the shard's lists.
local function unlist(id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', ROOMS, id)
end

-- Stores the room's next deadline, at which the sweep settles the room.
local function schedule(room)
  if not room.is_live then
    return
  end
  local deadline = room.ended_at or room.end_at
  if room.reminder_at then
    deadline = math.min(deadline, room.reminder_at)
  end
  deadline = math.min(deadline, room.phase_ends_at or deadline)
  deadline = math.min(deadline, find_grace_end(room) or deadline)
  if redis.call('ZADD', KEYS[1], 'CH', deadline, room.id) == 1 then
    announce_if_near(deadline)
  end
end

-- Makes keys expire at the given time, unless they do so later.
local function prolong_ttl(keys, expires_at)
  for _, key in ipairs(keys) do
    -- GT skips a key without an expiry, hence NX first.
    redis.call('PEXPIREAT', key, expires_at, 'NX')
    redis.call('PEXPIREAT', key, expires_at, 'GT')
  end
end

local function set_attendance_ttl(room, ended_at)
  prolong_ttl({ room.stays, room.attendees }, ended_at + settings.attendanceMs)
end

-- Makes a kept key expire if no script ever ends the session.
local function set_kept_ttl(room, kind)
  prolong_ttl({ build_key(kind, room.id) }, room.end_at + math.max(settings.retentionMs, KEPT_KINDS[kind]))
end

-- Makes the room's keys expire some time after the session's end, even if no script ever deletes them.
local function set_ttl(room)
  for _, kind in ipairs(LIVE_KINDS) do
    redis.call('PEXPIREAT', build_key(kind, room.id), room.end_at + settings.retentionMs)
  end
  prolong_ttl({ KEYS[1], ROOMS }, room.end_at + settings.retentionMs)
  set_attendance_ttl(room, room.end_at)
end
