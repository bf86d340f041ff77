-- Who may write nothing, and who decides that.
--
-- What a room stores:
-- muted    sorted set: user → until when the user may write nothing, or infinity

--- @include "caller"

-- The leader and operators.
local function is_moderator(room)
  return not call.userId or call.userId == room.leader
end

-- Returns until when the user may write nothing, or nothing. A mute without a time lasts until the end of the session.
local function find_mute(room, user)
  local until_ms = tonumber(redis.call('ZSCORE', room.muted, user) or 0)
  return until_ms > now and math.min(until_ms, room.end_at) or nil
end
