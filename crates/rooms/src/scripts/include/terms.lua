-- A room's terms: what the session's definition says of it.

--- @include "call"

local function set_end(room, end_at)
  room.end_at = end_at
  redis.call('HSET', room.key, 'endAt', end_at)
  -- Within the lead there is no reminder: members read the same from what they have just been told.
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
