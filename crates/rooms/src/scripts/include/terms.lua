-- A room's terms: the part of the session definition that the room stores.

--- @include "call"

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

local function set_terms(room, terms)
  room.leader, room.revision = terms.leaderId, terms.revision
  room.duplicates, room.capacity = terms.duplicates, terms.capacity
  redis.call('HSET', room.key, 'leaderId', room.leader, 'revision', room.revision, 'duplicates', room.duplicates)
  if room.capacity then
    redis.call('HSET', room.key, 'capacity', room.capacity)
  else
    redis.call('HDEL', room.key, 'capacity')
  end
  if terms.endAt ~= room.end_at then
    set_end(room, terms.endAt)
  end
end
