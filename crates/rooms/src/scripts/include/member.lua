-- Members as clients see them.

--- @include "ids"
--- @include "room"

-- Returns a member, or nothing if the user is not in the room.
local function load_member(room, user)
  local json = redis.call('HGET', room.members, user)
  if not json then
    return nil
  end
  local member = cjson.decode(json)
  member.userId = build_public_id(user, type(member.userId) == 'number')
  return member
end

-- Returns the id of a user as clients know it. `is_number`: as the caller writes the id of a user who is no member.
local function find_public_id(room, user, is_number)
  local member = load_member(room, user)
  return member and member.userId or build_public_id(user, is_number)
end

-- The script counts and lists the members once, and anew after a change of them.
local function forget_members(room)
  room.count, room.roster = nil, nil
end

-- Stores whether the host's and the leader's ids are numbers: like the member's, so that clients find both in the list.
local function save_id_type(room, user, is_number)
  if user == room.host and is_number ~= room.is_host_number then
    room.is_host_number = is_number
    set_field(room, 'isHostNumber', is_number and 1)
  end
  if user == room.leader and is_number ~= room.is_leader_number then
    room.is_leader_number = is_number
    set_field(room, 'isLeaderNumber', is_number and 1)
  end
end

local function save_member(room, user, member)
  redis.call('HSET', room.members, user, encode_json(member))
  save_id_type(room, user, member.userId ~= user)
  forget_members(room)
end

local function count_members(room)
  room.count = room.count or redis.call('HLEN', room.members)
  return room.count
end

local function get_public_host(room)
  return room.host and build_public_id(room.host, room.is_host_number)
end

local function get_public_leader(room)
  return build_public_id(room.leader, room.is_leader_number)
end
