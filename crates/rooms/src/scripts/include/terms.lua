-- A room's terms: its session definition, as the room stores it.

--- @include "call"
--- @include "ids"
--- @include "room"

local function set_end(room, end_at)
  room.end_at = end_at
  redis.call('HSET', room.key, 'endAt', end_at)
  -- An end within the reminder's lead gets no reminder: the event that announces the end says the same.
  local reminder_at = end_at - settings.reminderLeadMs
  room.reminder_at = reminder_at > now and reminder_at
  set_field(room, 'reminderAt', room.reminder_at)
end

-- Stores the type of the room's id. public_id: the id as the definition has it, else as the first member's client
local function set_public_id(room, public_id)
  room.public_id = build_public_id(room.id, type(public_id) == 'number')
  set_field(room, 'isNumber', type(public_id) == 'number' and 1)
end

-- Redis's Lua cannot pass more than about 8,000 values to a command.
local MAX_VALUES = 5000

-- Stores whom the definition admits. A source without revisions decides anew for each user who enters.
local function set_list(room, terms)
  local members = terms.members
  room.admits = terms.revision > 0 and (members and 'listed' or 'all')
  set_field(room, 'admits', room.admits)
  redis.call('DEL', room.listed)
  if members then
    for first = 1, #members, MAX_VALUES do
      redis.call('SADD', room.listed, unpack(members, first, math.min(first + MAX_VALUES - 1, #members)))
    end
    redis.call('PEXPIREAT', room.listed, room.end_at + settings.retentionMs)
  end
end

local function set_leader(room, terms)
  room.leader, room.is_leader_number = get_text(terms.leaderId), type(terms.leaderId) == 'number'
  set_field(room, 'leaderId', room.leader)
  set_field(room, 'isLeaderNumber', room.is_leader_number and 1)
end

-- Stores the terms, apart from the leader. terms: {revision (0: the source has no revisions), endAt, leaderId?,
-- duplicates, timerBy, features (names separated by spaces, or * for all), capacity?, members? (users who may be in the room beside the leader; everybody without it)}
local function set_terms(room, terms)
  room.revision, room.duplicates, room.capacity = terms.revision, terms.duplicates, terms.capacity
  redis.call('HSET', room.key, 'revision', room.revision, 'duplicates', room.duplicates, 'timerBy', terms.timerBy,
    'features', terms.features)
  set_field(room, 'capacity', room.capacity)
  set_end(room, terms.endAt)
  set_list(room, terms)
end
