-- Reads a room and a page of its members, in order of entering.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId; limit; after?: {epoch, position} of the last member of the previous page
--
-- Returns  {'OK', JSON}  JSON: the payload of room:state with a page of members; with next, 'epoch:position', if more
--                        members follow. Positions of an earlier session count for nothing
--          {'NOT_LIVE'}  the room is not live
--          {'SETTLE'}    something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "layout"
--- @include "publish"
--- @include "settled"

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_LIVE' }
end

local after = call.after and call.after.epoch == room.epoch and call.after.position or 0
-- One more than listed tells whether more follow.
local found = redis.call('ZRANGE', room.order, string.format('(%.0f', after), '+inf', 'BYSCORE', 'LIMIT', 0,
  call.limit + 1, 'WITHSCORES')
local users = {}
for index = 1, math.min(#found, 2 * call.limit), 2 do
  table.insert(users, found[index])
end

local data = describe_room(room, { groupId = room.public_id, seq = room.seq })
if #found > 2 * call.limit then
  data.next = string.format('%.0f:%s', room.epoch, found[2 * call.limit])
end
return { 'OK', add_field(encode_with(data, 'timer', room.timer), 'members', encode_members(room, users)) }
