-- Says whether a member may send a message now, before the platform is asked about the message. Changes nothing.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, chatBurst, chatIntervalMs
-- ARGV[2]  call: as of chat.lua, with chat:send
--
-- Returns  {'OK', JSON {ack?}}       ack: of chat.lua, if the message was sent before
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session has no chat
--          {'MUTED'}                  the user may send nothing at the moment
--          {'SLOW_MODE'}              the user has sent something within the interval of slow mode
--          {'RATE_LIMITED'}           the user does this too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   none

--- @include "layout"
--- @include "sending"
--- @include "settled"

local function check(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  if not load_chat(room) then
    return { 'FEATURE_OFF' }
  end
  if is_repeated(room) then
    return { 'OK', '{"ack":' .. build_ack(room, find_sent(room))[2] .. '}' }
  end
  return find_refusal(room) or { 'OK', '{}' }
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { 'NOT_IN_ROOM' }
end
return check(room)
