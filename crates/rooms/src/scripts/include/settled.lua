-- Whether a room is up to now. Only a room that is settled is read or changed: whatever is overdue happens first, in a
-- script of its own, because most calls find nothing overdue.

--- @include "clock"
--- @include "room"

-- The reply of a script that finds something overdue. The caller runs settle.lua, and then the script again.
local SETTLE = { 'SETTLE' }

local function is_settled(room)
  local grace_end = find_grace_end(room)
  return not room.ended_at and now < room.end_at
    and not (room.reminder_at and room.reminder_at <= now)
    and not (room.phase_ends_at and room.phase_ends_at <= now)
    and not (grace_end and grace_end <= now)
    and PAUSED_MS <= room.paused_ms
    and not next(find_ended_leases(room, now))
end

-- Loads a room. Most scripts begin like this. Returns none if something is overdue.
local function load_settled_room(id)
  local room = load_room(id)
  return (not room.is_live or is_settled(room)) and room
end
