-- How long the scripts of a shard may be silent.

--- @include "call"

-- A shard that is silent for longer has paused. Bridges send at least three heartbeats per lease.
local MAX_SILENCE_MS = settings.leaseMs / 2
-- The part of such a silence that passes all the same. So even rare calls find the end of a lease.
local CHARGED_MS = math.floor(settings.leaseMs / 3)
