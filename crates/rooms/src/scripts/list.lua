-- Lists the live rooms of a shard, ordered by the bytes of their ids.
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

local rooms, min = {}, call.after and '(' .. call.after or '-'
repeat
  local ids = redis.call('ZRANGE', ROOMS, min, '+', 'BYLEX', 'LIMIT', 0, call.limit)
  for _, id in ipairs(ids) do
    local room = load_room(id)
    if #rooms < call.limit and room.is_live and now < room.end_at then
      table.insert(rooms, encode_live_room(room))
    end
    min = '(' .. id
  end
until #rooms == call.limit or #ids < call.limit
return { 'OK', '[' .. table.concat(rooms, ',') .. ']' }
