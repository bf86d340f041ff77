-- Settles the rooms of a shard that are due, and takes the connections of nodes whose lease ran out for lost. Safe to
-- run twice at once: what is settled is due no more.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, rosterLimit, retentionMs, closedEntryMs
-- ARGV[2]  call: limit, how many rooms, and how many connections, at the most
--
-- Returns  {'OK', JSON {settled, lateMs, more, nextDueAt?}}: how many rooms, how late the first of them was,
--          whether more are due, and when the shard is next due
-- Events   whatever was overdue

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, call.limit)
local late_ms = due[2] and now - tonumber(due[2]) or 0

for i = 1, #due, 2 do
  local room = open(due[i])
  if not room.is_live then
    -- Its keys have expired: it ended while nobody swept.
    redis.call('ZREM', KEYS[1], room.id)
  end
  settle(room)
  schedule(room)
end

local left = call.limit
for _, node in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, call.limit)) do
  if left > 0 then
    left = left - lapse_node(node, left)
  end
end

local function first_due(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

local next_due_at, next_lease_at = first_due(KEYS[1]), first_due(LEASES)
if next_lease_at and next_lease_at < (next_due_at or math.huge) then
  next_due_at = next_lease_at
end
local report = {
  settled = #due / 2,
  lateMs = late_ms,
  more = next_due_at ~= nil and next_due_at <= now,
  nextDueAt = next_due_at,
}
return { 'OK', cjson.encode(report) }
