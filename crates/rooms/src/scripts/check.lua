-- Checks the app's rights in Redis, and changes nothing.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings
-- ARGV[2]  call, empty
--
-- Returns  {'OK', JSON {}}

--- @include "rights"

return { 'OK', '{}' }
