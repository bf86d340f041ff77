-- The code that members share: snippets, each with a number and a version.
--
-- What a room stores:
-- snippets  hash: number → JSON {number, id, title?, language?, editors (author, everybody or together), version, bytes, userId,
--           userName, sharedAt, updatedBy: {userId, userName}, updatedAt}
-- code      hash: number → text, of each snippet that is no document
-- in the room's hash: snippetCount (how many numbers the session has given out)

--- @include "mute"
--- @include "publish"
--- @include "rate_limit"

local function has_code(room)
  return has_feature(redis.call('HGET', room.key, 'features'), 'code')
end

-- Counts one more snippet with its text for the user who reads it. Returns whether the limit allows it.
local function count_read(room)
  return count(room, 'code reads\t' .. call.userId, settings.codeReadBurst, settings.codeReadIntervalMs)
end

-- The field of a snippet in both hashes.
local function get_field(number)
  return string.format('%.0f', number)
end

-- Marks the id of a user where clients see it as a number.
local function mark_id(user)
  user.userId = build_public_id(get_text(user.userId), type(user.userId) == 'number')
end

local function encode_snippet(snippet)
  mark_id(snippet)
  mark_id(snippet.updatedBy)
  return encode_json(snippet)
end

-- Stores a snippet. Returns its JSON.
local function save_snippet(room, snippet)
  local json = encode_snippet(snippet)
  redis.call('HSET', room.snippets, get_field(snippet.number), json)
  set_kept_ttl(room, 'snippets')
  return json
end

-- Returns a snippet, or nothing if there is none of this number.
local function load_snippet(room, number)
  local json = redis.call('HGET', room.snippets, get_field(number))
  return json and cjson.decode(json)
end

-- Returns all snippets, oldest first.
local function load_snippets(room)
  local numbers = redis.call('HKEYS', room.snippets)
  table.sort(numbers, function(one, other)
    return tonumber(one) < tonumber(other)
  end)
  local snippets = {}
  for index, json in ipairs(#numbers > 0 and redis.call('HMGET', room.snippets, unpack(numbers)) or {}) do
    snippets[index] = cjson.decode(json)
  end
  return snippets
end

local function load_text(room, snippet)
  return redis.call('HGET', room.code, get_field(snippet.number))
end

-- Returns a snippet and its text as JSON.
local function encode_content(room, snippet)
  return encode_with({ text = load_text(room, snippet), now = now }, 'snippet', encode_snippet(snippet))
end
