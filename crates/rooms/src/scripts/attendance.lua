-- Reads a page of the attendance of a room: stays that go on, and stays that are over.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId; after? (the `next` of the previous page)
--
-- Returns  {'OK', JSON {attendees, next?, handedTo?}}  attendees: about a slice of {userId, userName, stays}: first the members,
--                                           then all users whose stays have ended, members among them; stay: {epoch,
--                                           enteredAt, leftAt, presentMs, drops, statusMs?, ending?}. A stay that goes on has no
--                                           ending; its leftAt is now, or the time when the connection was lost;
--                                           next, if more follow: {position} of a member, or {cursor} of the rest;
--                                           handedTo, on the last page: among how many shards the room lies now, if
--                                           this shard has handed it over
--          {'SETTLE'}                       something is overdue
--
-- Events   none

--- @include "attendance"
--- @include "entry"
--- @include "settled"
--- @include "slice"

local function encode_member(room, user)
  local attendee = load_attendee(room, user)
  add_stay(attendee, load_member(room, user), build_stay(room, load_presence(room, user), nil, now))
  return encode_json(attendee)
end

-- Returns members behind a position in the order of entering, and where the next page begins.
local function list_members(room, position)
  local found = redis.call('ZRANGE', room.order, '(' .. position, '+inf', 'BYSCORE', 'LIMIT', 0, SLICE, 'WITHSCORES')
  local attendees = {}
  for index = 1, #found, 2 do
    table.insert(attendees, encode_member(room, found[index]))
  end
  if #attendees < SLICE then
    return attendees, { cursor = '0' }
  end
  return attendees, { position = found[#found] }
end

-- Returns users whose stays have ended, and where the next page begins. A cursor of Redis misses nobody who was there
-- all the time, and may show somebody twice.
local function list_ended_stays(room, cursor)
  local found = redis.call('HSCAN', room.stays, cursor, 'COUNT', SLICE)
  local attendees = {}
  for index = 2, #found[2], 2 do
    table.insert(attendees, found[2][index])
  end
  return attendees, found[1] ~= '0' and { cursor = found[1] }
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local after = call.after or { position = '0' }
local attendees, following
if after.cursor then
  attendees, following = list_ended_stays(room, after.cursor)
else
  attendees, following = list_members(room, after.position)
end
local json = '{"attendees":[' .. table.concat(attendees, ',') .. ']'
if following then
  return { 'OK', json .. ',"next":' .. cjson.encode(following) .. '}' }
end
local handed_to = redis.call('GET', build_key('handover', room.id))
if handed_to then
  json = json .. ',"handedTo":' .. handed_to
end
return { 'OK', json .. '}' }
