-- Settles the rooms of a shard that are due, and the rooms of nodes whose lease has ended.
--
-- Two sweeps at once are safe, because a settled room is no longer due.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers, chatMs, codeMs
-- ARGV[2]  call: limit (most rooms to settle)
--
-- Returns  {'OK', JSON {settled, lateMs, more, nextDue, dueInMs?}}  settled: number of rooms that were due; lateMs: how
--                                                          long the first was overdue; more: whether more is due;
--                                                          nextDue {asOf, dueAt?}: the shard's next deadline;
--                                                          dueInMs: time until the shard has to be swept again: its
--                                                          next deadline, or sooner so that no pause seems to begin
--
-- Events   whatever was overdue

--- @include "node_expiry"

-- Returns whether the room is settled.
local function settle_due_room(id)
  local room = load_room(id)
  if not room.is_live then
    -- The room's keys expired: its session ended while nobody swept.
    unlist(id)
  end
  return settle_and_schedule(room)
end

local function settle_due_rooms(limit)
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, limit)
  for index, id in ipairs(ids) do
    if is_slice_full() or not settle_due_room(id) then
      return index - 1
    end
  end
  return #ids
end

local function expire_nodes(limit)
  local settled = 0
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, call.limit)) do
    settled = settled + (expire_node(node, limit - settled))
  end
  return settled
end

local late_ms = math.max(0, now - find_next_deadline())
local settled_rooms = settle_due_rooms(call.limit)
settled_rooms = settled_rooms + expire_nodes(call.limit - settled_rooms)

local deadline = find_next_deadline()
local report = {
  settled = settled_rooms,
  lateMs = late_ms,
  more = deadline <= now,
  nextDue = build_next_due(deadline),
}
if deadline < math.huge then
  report.dueInMs = math.max(0, deadline - now)
  if redis.call('EXISTS', LEASES) == 1 then
    report.dueInMs = math.min(report.dueInMs, CHARGED_MS)
  end
end
return { 'OK', cjson.encode(report) }
