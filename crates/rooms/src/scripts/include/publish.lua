-- Room events. Publishing in the script that changes the room gives events the order of the changes.

--- @include "call"

-- The member list as JSON, in the order in which they came, or nil above the roster limit: a list in every event
-- makes the bytes sent grow with the square of the room.
local function roster(room, count)
  if count > settings.rosterLimit then
    return nil
  end
  local users = redis.call('ZRANGE', room.order, 0, -1)
  if #users == 0 then
    return '[]'
  end
  return '[' .. table.concat(redis.call('HMGET', room.members, unpack(users)), ',') .. ']'
end

-- Encodes a table that is not empty, with a value that is JSON already spliced in.
local function encode(object, name, json)
  local text = cjson.encode(object)
  if not json then
    return text
  end
  return '{"' .. name .. '":' .. json .. ',' .. string.sub(text, 2)
end

-- A room as acks and readings tell of it, with what else they say.
local function describe(room, data)
  data.count = redis.call('HLEN', room.members)
  data.endAt, data.remainMs = room.end_at, room.end_at - now
  data.leaderId, data.hostId, data.epoch = room.leader, room.host, room.epoch
  return encode(data, 'members', roster(room, data.count))
end

local function send(room, envelope, json)
  redis.call('PUBLISH', 'rollcall:events:' .. room.id, encode(envelope, 'data', json))
end

-- Tells everybody in the room.
-- options: except (an entry that does not get it), closes (whether sockets are closed after it),
-- members (the member list as JSON)
local function publish(room, event, data, options)
  room.seq = redis.call('HINCRBY', room.key, 'seq', 1)
  data.epoch, data.seq = room.epoch, room.seq
  local envelope = {
    event = event,
    epoch = room.epoch,
    seq = room.seq,
    except = options.except,
    closes = options.closes or false,
  }
  send(room, envelope, encode(data, 'members', options.members))
end

-- Tells one entry why its socket is closed. It has no place in the numbering, since nobody else hears of it.
local function dismiss(room, entry_id, event)
  local envelope = { event = event, epoch = room.epoch, seq = room.seq, only = entry_id, closes = true }
  send(room, envelope, cjson.encode({ groupId = room.id }))
end

-- Tells the room that its members changed. kind: entered, left, graceExpired or removed; users: who, as
-- {userId, userName}.
local function publish_change(room, kind, users, except)
  local count = redis.call('HLEN', room.members)
  local data = { change = { type = kind, users = users }, count = count }
  publish(room, 'room:participantsChanged', data, { except = except, members = roster(room, count) })
end
