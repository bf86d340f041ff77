-- Attendance: one record per stay in the room's stream, written by the script that ends the stay.

--- @include "call"
--- @include "ids"

-- Returns a member's stay until the given time, or until the connection was lost if the member has none.
local function build_stay(member, presence, until_ms)
  local left_at = presence.lostAt or until_ms
  return {
    userId = member.userId,
    userName = member.userName,
    enteredAt = presence.joinedAt,
    leftAt = left_at,
    -- Never negative, even if Redis's clock steps back.
    presentMs = math.max(0, left_at - presence.joinedAt - presence.awayMs),
    drops = presence.drops,
  }
end

-- ending: left, graceExpired, removed or ended
local function record_stay(room, member, presence, ending, until_ms)
  local record = build_stay(member, presence, until_ms)
  record.ending, record.epoch = ending, room.epoch
  redis.call('XADD', room.attendance, 'MAXLEN', '~', settings.attendanceLimit, '*', 'stay', encode_json(record))
  redis.call('PEXPIREAT', room.attendance, math.max(now, room.end_at) + settings.attendanceMs)
end
