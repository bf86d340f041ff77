-- Removes a member from a room against the member's will. The session definition may admit the user again.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, attendanceLimit,
--          attendanceMs, sliceMembers
-- ARGV[2]  call: roomId, userId
--
-- Returns  {'OK', '{}'}        the member is removed
--          {'NOT_LIVE'}        the room is not live
--          {'NO_SUCH_MEMBER'}  the user is not in the room
--          {'AGAIN'}           the room is not settled yet
--
-- Events   whatever was overdue; then
--          room:removed              to each connection of the member
--          room:participantsChanged  the member is removed
--          room:hostChanged          the member was host

--- @include "settle"

local room = load_settled_room(call.roomId)
if not room then
  return AGAIN
end
local is_member = load_presence(room, call.userId)
if is_member then
  kick_members(room, { call.userId })
end
schedule(room)
if is_member then
  return { 'OK', '{}' }
end
return { room.is_live and 'NO_SUCH_MEMBER' or 'NOT_LIVE' }
