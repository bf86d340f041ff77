-- The chat of a room: messages and deletions, each with a number. A reader who asks for what came after a number learns of
-- both.
--
-- What a room stores:
-- chat     sorted set: number → JSON of a message {number, id, userId, userName, text, sentAt} or of a deletion
--          {number, deletes, by?}
-- muted    sorted set: user → until when the user may send nothing, or infinity
-- in the room's hash: chatCount (how many numbers the session has given out), slowMs? (the interval of slow mode)

--- @include "caller"
--- @include "publish"

-- Loads the interval of slow mode. Returns whether the session has a chat.
local function load_chat(room)
  local fields = redis.call('HMGET', room.key, 'features', 'slowMs')
  room.slow_ms = tonumber(fields[2])
  return has_feature(fields[1], 'chat')
end

-- The leader and operators.
local function is_moderator(room)
  return not call.userId or call.userId == room.leader
end

-- Returns until when the user may send nothing, or nothing. A mute without a time lasts until the end of the session.
local function find_mute(room, user)
  local until_ms = tonumber(redis.call('ZSCORE', room.muted, user) or 0)
  return until_ms > now and math.min(until_ms, room.end_at) or nil
end
