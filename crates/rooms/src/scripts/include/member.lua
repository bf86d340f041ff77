-- Members as clients see them.

--- @include "ids"

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

-- The script counts and lists the members once, and anew after a change of them.
local function forget_members(room)
  room.count, room.roster = nil, nil
end

local function save_member(room, user, member)
  redis.call('HSET', room.members, user, encode_json(member))
  forget_members(room)
end

local function count_members(room)
  room.count = room.count or redis.call('HLEN', room.members)
  return room.count
end

-- Returns the host's id as clients see it: like the member's, so that clients find the host in the list.
local function get_public_host(room)
  return room.host and load_member(room, room.host).userId
end

-- Returns the leader's id as clients see it: like the member's while the leader is in the room, else as in the
-- definition.
local function get_public_leader(room)
  local member = room.leader and load_member(room, room.leader)
  return member and member.userId or build_public_id(room.leader, room.is_leader_number)
end
