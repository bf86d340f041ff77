-- Lists the live rooms of a shard, in the order of their ids.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?
-- ARGV[2]  call: after? (an id), limit
--
-- Returns  {'OK', JSON list of {id, epoch, startedAt, endAt, count}}
-- Events   none: a room that is over and has not been settled yet is left out

--- @include "room"

local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(ids)

local function describe(room)
  return cjson.encode({
    id = room.id,
    epoch = room.epoch,
    startedAt = tonumber(redis.call('HGET', room.key, 'startedAt')),
    endAt = room.end_at,
    count = redis.call('HLEN', room.members),
  })
end

local rooms = {}
for _, id in ipairs(ids) do
  if #rooms == call.limit then
    break
  end
  if not call.after or id > call.after then
    local room = open(id)
    if room.is_live and now < room.end_at then
      table.insert(rooms, describe(room))
    end
  end
end
return { 'OK', '[' .. table.concat(rooms, ',') .. ']' }
