-- Slices: a script settles only so many members, so that Redis is free for others in between. What is left stays due.
-- The caller runs the script again, which changes nothing else until the room is settled.

--- @include "call"

-- The reply of a script that has more to settle.
local AGAIN = { 'AGAIN' }

-- The most members whom one step of settling looks at.
local SLICE = settings.sliceMembers

-- Members whom this script has looked at.
local looked_at = 0

-- Counts members whom a step has looked at. Returns whether the step is done, because fewer were left than it may take.
local function count_slice(number)
  looked_at = looked_at + number
  return number < SLICE
end

-- Whether the script should settle no further room.
local function is_slice_full()
  return looked_at >= SLICE
end
