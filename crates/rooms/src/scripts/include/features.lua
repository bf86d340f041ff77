-- What a session has beside the list of members.

-- features: names separated by spaces, or * for all; a session of an earlier version of Rollcall has none
local function has_feature(features, name)
  return not features or features == '*' or string.find(' ' .. features .. ' ', ' ' .. name .. ' ')
end
