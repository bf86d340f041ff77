-- A room's terms: the part of the session definition that the room stores.

--- @include "call"
--- @include "ids"

local function set_end(room, end_at)
  room.end_at = end_at
  redis.call('HSET', room.key, 'endAt', end_at)
  -- An end within the reminder's lead gets no reminder: the event that announces the end says the same.
  local reminder_at = end_at - settings.reminderLeadMs
  if reminder_at > now then
    room.reminder_at = reminder_at
    redis.call('HSET', room.key, 'reminderAt', reminder_at)
  else
    room.reminder_at = 0
    redis.call('HDEL', room.key, 'reminderAt')
  end
end

-- Stores a field of the room, or deletes the field if there is no value.
local function set_field(room, name, value)
  if value then
    redis.call('HSET', room.key, name, value)
  else
    redis.call('HDEL', room.key, name)
  end
end

-- Stores the type of the room's id. public_id: the id as the definition has it, else as the first member's client
local function set_public_id(room, public_id)
  room.public_id = build_public_id(room.id, type(public_id) == 'number')
  set_field(room, 'isNumber', type(public_id) == 'number' and 1)
end

local function set_terms(room, terms)
  room.leader, room.is_leader_number = get_text(terms.leaderId), type(terms.leaderId) == 'number'
  room.revision, room.duplicates, room.capacity = terms.revision, terms.duplicates, terms.capacity
  redis.call('HSET', room.key, 'revision', room.revision, 'duplicates', room.duplicates)
  set_field(room, 'leaderId', room.leader)
  set_field(room, 'isLeaderNumber', room.is_leader_number and 1)
  set_field(room, 'capacity', room.capacity)
  if terms.endAt ~= room.end_at then
    set_end(room, terms.endAt)
  end
end
