-- Who calls: a member over a connection, or an operator.

--- @include "entry"
--- @include "features"
--- @include "member"

-- Whether the command comes from a connection in the room, or from an operator.
local function is_inside(room)
  if not call.userId then
    return true
  end
  local presence = load_presence(room, call.userId)
  return presence and find_entry(presence, call.entryId)
end

-- Returns the member who calls, as events name members, or nothing for an operator.
local function describe_caller(room)
  local member = call.userId and load_member(room, call.userId)
  return member and { userId = member.userId, userName = member.userName }
end

-- Whether the caller wrote a message or a snippet.
local function is_author(item)
  return get_text(item.userId) == call.userId
end
