-- Who calls: a member over a connection, or an operator, and what the session lets them use.

--- @include "entry"

-- Whether the command comes from a connection in the room, or from an operator.
local function is_inside(room)
  if not call.userId then
    return true
  end
  local presence = load_presence(room, call.userId)
  return presence and find_entry(presence, call.entryId)
end

-- features: names separated by spaces, or * for all; a session of an earlier version of Rollcall has none
local function has_feature(features, name)
  return not features or features == '*' or string.find(' ' .. features .. ' ', ' ' .. name .. ' ')
end
