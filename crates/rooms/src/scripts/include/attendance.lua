-- Attendance: the stays of each user, written by the script that ends the stay. A room keeps about attendanceLimit
-- stays, of which each user has an equal share: whoever comes and goes takes no room from others.

--- @include "call"
--- @include "ids"
--- @include "room"
--- @include "status"

-- Most stays of one user, because a script reads and writes all of them together.
local MAX_STAYS = 100

-- Returns a member's stay until the given time, or until the connection was lost if the member has none.
-- ending: left, graceExpired, removed or ended; none while the member is in the room
local function build_stay(room, presence, ending, until_ms)
  local left_at = presence.lostAt or until_ms
  count_status(presence, left_at)
  return {
    epoch = room.epoch,
    enteredAt = presence.joinedAt,
    leftAt = left_at,
    -- Never negative, even if Redis's clock steps back.
    presentMs = math.max(0, left_at - presence.joinedAt - presence.awayMs),
    drops = presence.drops,
    statusMs = presence.statusMs,
    ending = ending,
  }
end

-- Adds up times by status. Returns none if there are none.
local function add_status_times(earlier, later)
  if not earlier or not later then
    return earlier or later
  end
  for status, ms in pairs(earlier) do
    later[status] = (later[status] or 0) + ms
  end
  return later
end

-- Merges a stay and the next one. The time between them counts as one more drop.
local function merge_stays(earlier, later)
  later.enteredAt = earlier.enteredAt
  later.presentMs = earlier.presentMs + later.presentMs
  later.drops = earlier.drops + later.drops + 1
  later.statusMs = add_status_times(earlier.statusMs, later.statusMs)
  return later
end

-- Whether the user was away for no longer than after a lost connection. A removal stays visible.
local function is_same_stay(earlier, later)
  return earlier.epoch == later.epoch and earlier.ending ~= 'removed'
    and later.enteredAt - earlier.leftAt < settings.graceMs
end

local function load_attendee(room, user)
  local json = redis.call('HGET', room.stays, user)
  return json and cjson.decode(json) or { stays = {} }
end

-- Adds a stay to those of a user, who has the member's id and name from now on.
local function add_stay(attendee, member, stay)
  attendee.userId, attendee.userName = member.userId, member.userName
  local stays = attendee.stays
  if #stays > 0 and is_same_stay(stays[#stays], stay) then
    stays[#stays] = merge_stays(stays[#stays], stay)
  else
    table.insert(stays, stay)
  end
end

-- Removes the user whose last stay ended first.
local function remove_oldest_attendee(room)
  local user = redis.call('ZRANGE', room.attendees, 0, 0)[1]
  redis.call('ZREM', room.attendees, user)
  redis.call('HDEL', room.stays, user)
end

local function record_stay(room, user, member, stay)
  local attendee, earlier = load_attendee(room, user), redis.call('HLEN', room.stays)
  add_stay(attendee, member, stay)
  local share = settings.attendanceLimit / math.max(1, earlier)
  while #attendee.stays > math.max(1, math.min(share, MAX_STAYS)) do
    local oldest = table.remove(attendee.stays, 1)
    attendee.stays[1] = merge_stays(oldest, attendee.stays[1])
  end
  local added = redis.call('HSET', room.stays, user, encode_json(attendee))
  redis.call('ZADD', room.attendees, stay.leftAt, user)
  if earlier + added > settings.attendanceLimit then
    remove_oldest_attendee(room)
  end
  if earlier == 0 or now > room.end_at then
    set_attendance_ttl(room, math.max(now, room.end_at))
  end
end
