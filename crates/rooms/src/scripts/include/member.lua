-- Members as clients see them.

--- @include "ids"

local function load_member(room, user)
  local member = cjson.decode(redis.call('HGET', room.members, user))
  member.userId = build_public_id(user, type(member.userId) == 'number')
  return member
end

local function save_member(room, user, member)
  redis.call('HSET', room.members, user, encode_json(member))
end

-- Returns the host's id as clients see it: like the member's, so that clients find the host in the list.
local function get_public_host(room)
  return room.host and load_member(room, room.host).userId
end

-- Returns the leader's id as clients see it: like the member's while the leader is in the room, else as in the
-- definition.
local function get_public_leader(room)
  if room.leader and redis.call('HEXISTS', room.members, room.leader) == 1 then
    return load_member(room, room.leader).userId
  end
  return build_public_id(room.leader, room.is_leader_number)
end
