-- The chat of a room: messages and deletions, each with a number. A reader who asks for what came after a number learns of
-- both.
--
-- What a room stores:
-- chat     sorted set: number → JSON of a message {number, id, userId, userName, text, sentAt} or of a deletion
--          {number, deletes}
-- in the room's hash: chatCount (how many numbers the session has given out), slowMs? (the interval of slow mode)

--- @include "mute"

-- Loads the interval of slow mode. Returns whether the session has a chat.
local function load_chat(room)
  local fields = redis.call('HMGET', room.key, 'features', 'slowMs')
  room.slow_ms = tonumber(fields[2])
  return has_feature(fields[1], 'chat')
end
