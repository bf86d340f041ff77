-- What members say about themselves. A member's entry in the list has the status and the goal. The presence has the status
-- again, with the time for which the member has had each one: only while a connection is there, like the time of the stay.

--- @include "call"

-- Counts the time of the status up to now or to the loss of the last connection. The caller saves the presence.
local function count_status(presence, until_ms)
  if presence.status then
    local total = presence.statusMs or {}
    -- Never negative, even if Redis's clock steps back.
    total[presence.status] = (total[presence.status] or 0) + math.max(0, until_ms - presence.statusAt)
    presence.statusMs, presence.statusAt = total, until_ms
  end
end

-- Gives the member another status from now on, or none.
local function set_status(presence, status)
  count_status(presence, now)
  presence.status, presence.statusAt = status, now
end
