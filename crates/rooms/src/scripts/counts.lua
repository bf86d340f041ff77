-- Counts the members of rooms that are live in this shard and have a lobby. The rooms are read as they are: what is overdue
-- may not have happened yet.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?
-- ARGV[2]  call: roomIds
--
-- Returns  {'OK', JSON {rooms: [{id, count, endAt}], now}}
--
-- Events   none

--- @include "features"
--- @include "publish"

local function describe(id)
  local fields = redis.call('HMGET', build_key('room', id), 'endAt', 'endedAt', 'features')
  local end_at = tonumber(fields[1])
  if not end_at or fields[2] or end_at <= now or not has_feature(fields[3], 'lobby') then
    return nil
  end
  return encode_json({ id = id, count = redis.call('HLEN', build_key('members', id)), endAt = end_at })
end

local rooms = {}
for _, id in ipairs(call.roomIds) do
  rooms[#rooms + 1] = describe(id)
end
return { 'OK', add_field(encode_json({ now = now }), 'rooms', encode_list(rooms)) }
