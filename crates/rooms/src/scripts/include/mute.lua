-- Who may write nothing, and who decides that.
--
-- What a room stores:
-- muted    sorted set: user → until when the user may write nothing, or infinity

--- @include "caller"

-- The leader and operators.
local function is_moderator(room)
  return not call.userId or call.userId == room.leader
end

-- A mute without a time lasts until the end of the session.
local function bound_mute(room, score)
  return math.min(tonumber(score), room.end_at)
end

-- Returns until when the user may write nothing, or nothing.
local function find_mute(room, user)
  local score = redis.call('ZSCORE', room.muted, user) or 0
  return tonumber(score) > now and bound_mute(room, score) or nil
end
