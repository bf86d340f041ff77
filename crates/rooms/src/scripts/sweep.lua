-- Settles the rooms of a shard that are due, and those that hold connections of nodes whose lease has ended. Safe to
-- run twice at once: what is settled is due no more.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit, attendanceMs
-- ARGV[2]  call: limit, how many rooms at the most
--
-- Returns  {'OK', JSON {settled, lateMs, more, dueInMs?}}: how many rooms were due, how late the first of them was,
--          whether more are due, and in how long the shard is next due
-- Events   whatever was overdue

--- @include "lapse"

local function first_due(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or math.huge)
end

local function next_due()
  return math.min(first_due(KEYS[1]), first_due(LEASES))
end

local late_ms = math.max(0, now - next_due())
local settled = 0

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, call.limit)) do
  local room = open(id)
  if not room.is_live then
    -- Its keys have expired: it ended while nobody swept.
    redis.call('ZREM', KEYS[1], id)
  end
  settle(room)
  schedule(room)
  settled = settled + 1
end

for _, node in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, call.limit)) do
  if settled < call.limit then
    settled = settled + lapse_node(node, call.limit - settled)
  end
end

local due = next_due()
local report = { settled = settled, lateMs = late_ms, more = due <= now }
if due < math.huge then
  report.dueInMs = math.max(0, due - now)
end
return { 'OK', cjson.encode(report) }
