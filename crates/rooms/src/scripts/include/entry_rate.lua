-- Limits how often a user enters a room or changes the name.

--- @include "join_entry"
--- @include "rate_limit"

-- Counts an entry. Returns whether the user may enter. A bridge that enters its members again is not limited: the
-- members have not asked for it.
local function count_entry(room)
  return call.replaces or count(room, USER, settings.entryBurst, settings.entryIntervalMs)
end
