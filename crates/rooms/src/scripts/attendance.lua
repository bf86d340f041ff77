-- Reads the attendance of a room: stays that are over, and stays that go on.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', JSON list of attendees}  attendee: {userId, userName, stays}; stay: {epoch, enteredAt, leftAt,
--                                          presentMs, drops, ending?}. A stay that goes on has no ending; its leftAt
--                                          is now, or the time when the connection was lost
--
-- Events   whatever was overdue

--- @include "settle"

local room = load_settled_room(call.roomId)
schedule(room)

local attendees, is_present = {}, {}
for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
  is_present[user] = true
  local attendee = load_attendee(room, user)
  add_stay(attendee, load_member(room, user), build_stay(room, load_presence(room, user), nil, now))
  table.insert(attendees, encode_json(attendee))
end
for _, user in ipairs(redis.call('ZRANGE', room.attendees, 0, -1)) do
  if not is_present[user] then
    table.insert(attendees, redis.call('HGET', room.stays, user))
  end
end
return { 'OK', '[' .. table.concat(attendees, ',') .. ']' }
