-- What all ways to join have in common: the member, the entry and the ack.

--- @include "entry"
--- @include "publish"

local USER = get_text(call.profile.userId)
call.profile.userId = build_public_id(USER, type(call.profile.userId) == 'number')

-- `seq` is the last event that the ack includes. It defaults to the room's last event, because the ack shows the room
-- as it is now: with a lower number, the client would also get events that are older than the ack.
local function build_ack(room, entry, seq)
  return { 'OK', encode_room(room, { seq = seq or room.seq, first = entry.first, recovered = entry.recovered }) }
end

-- The entry stores what its ack said, so that a join delivered twice gets the same ack. The presented token stays
-- valid beside the entry's own, because the client may never have received the ack with the new one.
local function add_entry(room, presence, is_first, is_recovered)
  local entry = {
    entryId = call.entryId,
    nodeId = call.nodeId,
    resumeHashes = { call.resumeHash, call.resumes },
    first = is_first,
    recovered = is_recovered,
    refreshes = call.refreshes,
  }
  table.insert(presence.entries, entry)
  acquire(room, entry)
  save_presence(room, USER, presence)
  return entry
end

-- Stores the user as present, with what else the earlier state of the member says.
local function save_present_member(room, earlier)
  local member = call.profile
  member.joinedAt, member.state = earlier.joinedAt, 'present'
  member.status, member.goal = earlier.status, earlier.goal
  save_member(room, USER, member)
end

-- Adds the user to the room. Returns the presence, which has no entry yet. The position in the order of entering is the
-- sequence number of the event that follows: with times, which members can share, the first member might not stay host.
local function add_member(room)
  redis.call('ZADD', room.order, room.seq + 1, USER)
  save_present_member(room, { joinedAt = now })
  return { entries = {}, joinedAt = now, drops = 0, awayMs = 0 }
end
