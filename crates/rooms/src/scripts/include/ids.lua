-- Ids of users and rooms. Inside, an id is text, so that a number and its text are the same id. Clients get the type
-- that the platform uses.

-- Marks an id that clients see as a number. cjson would round the number to 14 digits, so the id stays text until
-- encode_json. No id holds a control character.
local NUMBER_MARK = '\1'

-- Returns an id from JSON as text. JSON holds only integers that a Lua number represents exactly.
local function get_text(id)
  return type(id) == 'number' and string.format('%.0f', id) or id
end

-- Returns an id as clients see it.
local function build_public_id(text, is_number)
  return is_number and NUMBER_MARK .. text or text
end

-- Encodes a table. The values of members named "id" or "…Id" may be marked as numbers.
local function encode_json(object)
  local json = cjson.encode(object)
  if not string.find(json, '\\u0001', 1, true) then
    return json
  end
  return (string.gsub(json, '("%a*[iI]d":)"\\u0001(-?%d+)"', '%1%2'))
end

-- Encodes a list of values that are JSON already. cjson would encode an empty list as an object.
local function encode_list(list)
  return '[' .. table.concat(list, ',') .. ']'
end
