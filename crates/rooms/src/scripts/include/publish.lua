-- Room events. The script that changes the room publishes the event, so events have the order of the changes.

--- @include "call"
--- @include "member"

-- Returns members as a JSON list.
local function encode_members(room, users)
  if #users == 0 then
    return '[]'
  end
  return '[' .. table.concat(redis.call('HMGET', room.members, unpack(users)), ',') .. ']'
end

-- Returns the member list as JSON, in order of entering, or nil above the roster limit: with a list in every event,
-- the bytes sent would grow with the square of the room's size.
local function encode_roster(room)
  if count_members(room) > settings.rosterLimit then
    return nil
  end
  room.roster = room.roster or encode_members(room, redis.call('ZRANGE', room.order, 0, -1))
  return room.roster
end

-- Adds a field whose value is JSON already to an object that is JSON already and not empty.
local function add_field(object, name, json)
  return json and '{"' .. name .. '":' .. json .. ',' .. string.sub(object, 2) or object
end

-- Encodes a table, which must not be empty, and adds a field whose value is JSON already.
local function encode_with(object, name, json)
  return add_field(encode_json(object), name, json)
end

-- Adds the fields of the room that acks and snapshots show.
local function describe_room(room, data)
  data.count = count_members(room)
  data.endAt, data.remainMs, data.now = room.end_at, room.end_at - now, now
  data.leaderId, data.hostId, data.epoch = get_public_leader(room), get_public_host(room), room.epoch
  return data
end

-- Returns the room as acks and snapshots show it, with the fields of `data` added.
local function encode_room(room, data)
  describe_room(room, data)
  return add_field(encode_with(data, 'timer', room.timer), 'members', encode_roster(room))
end

-- A cluster passes what PUBLISH sends to all nodes, and what SPUBLISH sends only to those that have the slot of the
-- channel. The shard in braces puts the channel into the slot of the keys, the only one that a script may use.
local function publish_envelope(room, envelope, json)
  local message = encode_with(envelope, 'data', json)
  if settings.isCluster then
    redis.call('SPUBLISH', CHANNELS .. string.match(KEYS[1], '{.-}:') .. room.id, message)
  else
    redis.call('PUBLISH', CHANNELS .. room.id, message)
  end
end

-- Publishes an event to the whole room.
-- options: except (an entry that does not get the event), closes (whether the bridge closes the sockets afterwards),
-- members (the member list as JSON), timer (the timer as JSON), message (a message as JSON), snippet (a snippet as JSON)
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
  local json = add_field(encode_with(data, 'timer', options.timer), 'message', options.message)
  json = add_field(json, 'snippet', options.snippet)
  publish_envelope(room, envelope, add_field(json, 'members', options.members))
end

-- Tells one entry why the bridge closes its socket. The event takes no sequence number, because nobody else gets it.
local function publish_close(room, entry_id, event)
  local envelope = { event = event, epoch = room.epoch, seq = room.seq, only = entry_id, closes = true }
  publish_envelope(room, envelope, encode_json({ groupId = room.public_id }))
end

-- Publishes a change of the member list. kind: entered, left, graceExpired, removed or updated; users: list of
-- {userId, userName}, and of {userId, userName, userRole?} where updated
local function publish_change(room, kind, users, except)
  local data = { change = { type = kind, users = users }, count = count_members(room) }
  publish(room, 'room:participantsChanged', data, { except = except, members = encode_roster(room) })
end
