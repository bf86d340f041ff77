-- Reads who was in a room: the stays that are over, and those that are not.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: roomId
--
-- Returns  {'OK', JSON list of stays}: {userId, userName, enteredAt, leftAt, presentMs, drops, epoch, ending?}, the
--          oldest end first; one that is not over has no ending, and its leftAt is now or when the connection was lost
-- Events   whatever was overdue

--- @include "settle"

local room = open(call.roomId)
settle(room)
schedule(room)

local stays = {}
for _, record in ipairs(redis.call('XRANGE', room.attendance, '-', '+')) do
  table.insert(stays, record[2][2])
end
if room.is_live then
  for _, user in ipairs(redis.call('ZRANGE', room.order, 0, -1)) do
    local record = stay(user, member_of(room, user).userName, presence_of(room, user), now)
    record.epoch = room.epoch
    table.insert(stays, cjson.encode(record))
  end
end
return { 'OK', '[' .. table.concat(stays, ',') .. ']' }
