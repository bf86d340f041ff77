-- Says among how many shards rooms lie, and makes all instances of the app visit more shards.
--
-- KEYS[1]  the first shard's deadlines
-- ARGV[1]  settings: shards
-- ARGV[2]  call: atLeast?: the number of shards that all instances have to visit from now on
--
-- Returns  {'OK', JSON {shards}}
--
-- Events   none

--- @include "layout"

if call.atLeast and call.atLeast > load_layout() then
  redis.call('SET', LAYOUT, call.atLeast)
end
return { 'OK', cjson.encode({ shards = count_shards() }) }
