-- Reads the attendance of a room: stays that are over, and stays that go on.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', JSON list of stays}  stay: {userId, userName, enteredAt, leftAt, presentMs, drops, epoch, ending?}.
--                                      Stays that are over come first, ordered by their end. A stay that goes on has
--                                      no ending; its leftAt is now, or the time when the connection was lost
--
-- Events   whatever was overdue

--- @include "settle"

local room = load_settled_room(call.roomId)
schedule(room)

local stays = {}
for _, record in ipairs(redis.call('XRANGE', room.attendance, '-', '+')) do
  table.insert(stays, record[2][2])
end
if room.is_live then
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    local record = build_stay(load_member(room, user), load_presence(room, user), now)
    record.epoch = room.epoch
    table.insert(stays, encode_json(record))
  end
end
return { 'OK', '[' .. table.concat(stays, ',') .. ']' }
