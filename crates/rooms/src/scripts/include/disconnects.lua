-- Lost connections.

--- @include "entry"
--- @include "grace"
--- @include "publish"
--- @include "status"

-- Stores a member without a connection, and tells the room until when the member may come back.
local function save_reconnecting(room, user, member)
  save_member(room, user, member)
  local data = { userId = member.userId, userName = member.userName, graceUntil = member.graceUntil }
  publish(room, 'room:participantReconnecting', data, {})
end

-- Saves a member who lost an entry at the given time. The grace period starts if it was the last entry.
local function save_after_disconnect(room, user, presence, lost_at)
  if #presence.entries > 0 then
    return save_presence(room, user, presence)
  end
  presence.lostAt, presence.drops = lost_at, presence.drops + 1
  count_status(presence, lost_at)
  save_presence(room, user, presence)
  local member = load_member(room, user)
  member.state, member.graceUntil = 'reconnecting', lost_at + settings.graceMs
  start_grace_period(room, user, member.graceUntil)
  save_reconnecting(room, user, member)
end
