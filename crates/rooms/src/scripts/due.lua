-- Finds the shards that a sweep has to visit, and changes nothing.
--
-- KEYS     the deadlines of all shards, in the order of the shards' numbers
-- ARGV[1]  settings: now?, leaseMs, shards
-- ARGV[2]  call: empty
--
-- Returns  {'OK', JSON {shards, nextDue, dueInMs?, allShards?}}  shards: numbers of the shards in which something is due, or no
--                                           script has run for so long that soon a pause would seem to begin;
--                                           nextDue {asOf, dueAt?}: next deadline in the other shards; dueInMs: time
--                                           until another shard has to be visited; allShards: the number of shards,
--                                           if it is larger than that of KEYS
--
-- Events   none

--- @include "deadline"
--- @include "layout"

local due = {}
local next_deadline = math.huge
local due_in_ms = math.huge

local function look_at(number, shard)
  local deadline = math.min(find_first(shard .. 'deadlines'), find_first(shard .. 'leases'))
  if deadline == math.huge then
    return
  end
  local ran_at = tonumber(redis.call('HGET', shard .. 'clock', 'ranAt') or now)
  -- Half of it, because the next sweep may be late.
  if deadline <= now or now - ran_at >= CHARGED_MS / 2 then
    table.insert(due, number)
  else
    next_deadline = math.min(next_deadline, deadline)
    due_in_ms = math.min(due_in_ms, deadline - now, ran_at + CHARGED_MS - now)
  end
end

for index, key in ipairs(KEYS) do
  look_at(index - 1, string.sub(key, 1, -string.len('deadlines') - 1))
end

-- cjson would encode an empty list as an object.
local json = '{"shards":[' .. table.concat(due, ',') .. '],"nextDue":' .. cjson.encode(build_next_due(next_deadline))
if due_in_ms < math.huge then
  json = json .. string.format(',"dueInMs":%.0f', due_in_ms)
end
local all_shards = count_shards()
if all_shards > #KEYS then
  json = json .. string.format(',"allShards":%.0f', all_shards)
end
return { 'OK', json .. '}' }
