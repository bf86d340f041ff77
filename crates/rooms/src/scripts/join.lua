-- Adds a user's connection to a room: starts the session, enters the user, or brings a member back.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, reminderLeadMs, rosterLimit, retentionMs, closedEntryMs,
--          attendanceLimit, attendanceMs, sliceMembers, entryBurst, entryIntervalMs
-- ARGV[2]  call: roomId; groupId (the id as clients see it); profile {userId, userName, userRole?}; entryId; nodeId;
--          resumeHash: hash of the token that can resume this entry;
--          resumes?: hash of the token that the client presented;
--          replaces?: the earlier entry of the same socket;
--          refreshes: number of tokens that the client has presented since the join of this entry;
--          terms?: of the definition, if the caller has read it; needed to start the session, and from a source
--          without revisions, which has admitted the user;
--          knownRevision: the last change that the caller knew of when it read the definition
--
-- Returns  {'OK', JSON}              JSON: data of the ack
--          {'DEFINITION', JSON}      the caller has to read the definition; the user has not entered. JSON: {revision,
--                                    isLive}; revision: the last announced change, or 0
--          {'NOT_A_MEMBER'}          the definition does not list the user
--          {'SESSION_ENDED'}         the session's end has passed
--          {'ENTRY_CLOSED'}          a late copy of a join whose entry is closed
--          {'ALREADY_JOINED'}        another connection of the user is in the room
--          {'TOO_MANY_CONNECTIONS'}  the user has as many connections in the room as one may
--          {'ROOM_FULL'}             the room has as many members as its capacity
--          {'RATE_LIMITED'}          the user enters or changes the name too often
--          {'SETTLE'}                something is overdue in the room, or the lease of the node has ended
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   room:started                 the session starts
--          room:participantsChanged     the user enters, or a member has another name or role
--          room:hostChanged             the user is the leader and becomes host
--          room:participantReconnected  the member comes back within the grace period
--          room:replaced                to the entry that the new one replaces

--- @include "change"
--- @include "join_again"
--- @include "join_new"
--- @include "layout"
--- @include "settled"

-- Repeats the ack of a current entry. The ack of the member who started the session leaves out room:started, which the
-- client also gets, unless other events have followed.
local function repeat_join(room, presence, entry)
  -- A late copy of the join has no newer token, and must not bring an older name back.
  if call.refreshes > entry.refreshes then
    if is_profile_new(load_member(room, USER)) and not count_entry(room) then
      return { 'RATE_LIMITED' }
    end
    entry.refreshes = call.refreshes
    save_presence(room, USER, presence)
    update_member(room)
  end
  return build_ack(room, entry, entry.first and room.seq == 1 and BEFORE_STARTED)
end

-- Whether the source of definitions has no revisions. Such a source decides at each join.
local IS_ADMITTED = call.terms and call.terms.revision == 0

-- Whether the caller has to read the definition first. A live room knows it, unless a change that the caller does not
-- know of may have reached the store.
local function needs_definition(room)
  if not room.is_live then
    room.announced = math.max(load_announced(room.id), call.handover and call.handover.announced or 0)
  end
  if IS_ADMITTED then
    return false
  end
  if room.is_live then
    return not room.admits or room.announced > call.knownRevision
  end
  return not call.terms or room.announced > math.max(call.terms.revision, call.knownRevision)
end

-- The leader need not be listed.
local function is_listed(room)
  return IS_ADMITTED or room.admits == 'all' or USER == room.leader
    or redis.call('SISMEMBER', room.listed, USER) == 1
end

local function join_live_room(room, presence)
  if not presence then
    return enter_live_room(room)
  end
  if #presence.entries == 0 then
    return recover(room, presence)
  end
  return add_connection(room, presence)
end

local function join(room)
  local elsewhere = not room.is_live and hand_over(room.id)
  if elsewhere then
    return is_closed(room, call.entryId) and { 'ENTRY_CLOSED' } or elsewhere
  end
  if needs_definition(room) then
    return { 'DEFINITION', cjson.encode({ revision = room.announced, isLive = room.is_live }) }
  end
  local presence = room.is_live and load_presence(room, USER)
  if room.is_live and not presence and not is_listed(room) then
    return { 'NOT_A_MEMBER' }
  end
  if is_closed(room, call.entryId) then
    return { 'ENTRY_CLOSED' }
  end
  if not room.is_live then
    return now >= call.terms.endAt and { 'SESSION_ENDED' } or start_session(room)
  end
  local index = presence and find_entry(presence, call.entryId)
  if index then
    return repeat_join(room, presence, presence.entries[index])
  end
  return join_live_room(room, presence)
end

local room = not is_lease_over(call.nodeId) and load_settled_room(call.roomId)
if not room then
  return SETTLE
end
local reply = join(room)
schedule(room)
return reply
