-- Lists the live rooms of a shard, ordered by id.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?
-- ARGV[2]  call: after? (the id before the first listed one), limit
--
-- Returns  {'OK', JSON list of {id, epoch, startedAt, endAt, count}}  without rooms whose end is overdue
--
-- Events   none

--- @include "room"

local function encode_live_room(room)
  return encode_json({
    id = room.public_id,
    epoch = room.epoch,
    startedAt = tonumber(redis.call('HGET', room.key, 'startedAt')),
    endAt = room.end_at,
    count = redis.call('HLEN', room.members),
  })
end

local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(ids)

local rooms = {}
for _, id in ipairs(ids) do
  if #rooms == call.limit then
    break
  end
  if not call.after or id > call.after then
    local room = load_room(id)
    if room.is_live and now < room.end_at then
      table.insert(rooms, encode_live_room(room))
    end
  end
end
return { 'OK', '[' .. table.concat(rooms, ',') .. ']' }
