-- Returns the content of a shard in the lines that redis_snapshot.rs expects. Then publishes to a channel that no room
-- has, so that the subscriber knows that it has all events.
local SHARD, ROOMS, NODES = 'rollcall:{0}:', { '-12', 'botany' }, { 'node-1', 'node-2', 'node-3' }
local lines = {}

local function add(...)
  table.insert(lines, table.concat({ ... }, ' '))
end

local function number(value)
  return value and string.format('%.0f', tonumber(value)) or '-'
end

local function sorted(list)
  table.sort(list)
  return table.concat(list, ',')
end

local function scores(kind, label)
  local list = redis.call('ZRANGE', SHARD .. kind, 0, -1, 'WITHSCORES')
  for index = 1, #list, 2 do
    add(label, list[index], number(list[index + 1]))
  end
end

local function add_members(id)
  for _, user in ipairs(redis.call('ZRANGE', SHARD .. 'order:' .. id, 0, -1)) do
    local json = redis.call('HGET', SHARD .. 'members:' .. id, user)
    local member, public_id = cjson.decode(json), string.match(json, '"userId":("?[^",}]+"?)')
    local presence = cjson.decode(redis.call('HGET', SHARD .. 'entries:' .. id, user))
    add('member', id, user, public_id, member.userName, number(member.joinedAt), number(presence.joinedAt),
      member.state, number(member.graceUntil), number(presence.lostAt), number(presence.drops),
      number(presence.awayMs), member.status or '-', member.goal or '-')
    for _, entry in ipairs(presence.entries) do
      add('entry', id, user, entry.entryId, entry.nodeId, table.concat(entry.resumeHashes, ','),
        tostring(entry.first), tostring(entry.recovered), number(entry.refreshes))
    end
  end
end

-- Adds the distinct expiry times of a room's keys.
local function add_expiry(id)
  local kinds = { 'room', 'members', 'entries', 'order', 'grace', 'nodes', 'rate', 'listed', 'commands', 'muted' }
  local times = {}
  for _, kind in ipairs(kinds) do
    local at = number(redis.call('PEXPIRETIME', SHARD .. kind .. ':' .. id))
    if at ~= '-2' and times[#times] ~= at then
      table.insert(times, at)
    end
  end
  add('expires', id, table.concat(times, ','))
end

local function add_keys()
  local keys, lasting = redis.call('KEYS', '*'), {}
  for _, key in ipairs(keys) do
    if redis.call('PTTL', key) == -1 then
      table.insert(lasting, key)
    end
  end
  add('keys', sorted(keys))
  add('lasting', sorted(lasting))
end

local function add_room(id)
  local fields = redis.call('HMGET', SHARD .. 'room:' .. id, 'epoch', 'startedAt', 'seq', 'endAt', 'reminderAt',
    'revision', 'capacity', 'leaderId', 'hostId', 'duplicates', 'isNumber', 'isLeaderNumber', 'admits', 'announced',
    'timerBy', 'phaseEndsAt', 'features')
  for index = 1, 7 do
    fields[index] = number(fields[index])
  end
  if fields[1] ~= '-' then
    add('room', id, table.concat(fields, ' ', 1, 7), fields[8] or '-', fields[9] or '-', fields[10], fields[11] or '-',
      fields[12] or '-', fields[13] or '-', number(fields[14]), fields[15], number(fields[16]),
      '[' .. fields[17] .. ']')
    add_expiry(id)
  end
  add('announced', id, number(redis.call('GET', SHARD .. 'announced:' .. id)))
  add('listed', id, sorted(redis.call('SMEMBERS', SHARD .. 'listed:' .. id)))
  add('count', id, redis.call('HLEN', SHARD .. 'members:' .. id), redis.call('HLEN', SHARD .. 'entries:' .. id))
  add_members(id)
  scores('grace:' .. id, 'grace ' .. id)
  scores('rate:' .. id, 'rate ' .. id)
  scores('commands:' .. id, 'command ' .. id)
  scores('muted:' .. id, 'muted ' .. id)
  local chat = redis.call('HMGET', SHARD .. 'room:' .. id, 'chatCount', 'slowMs')
  add('chat', id, number(chat[1] or 0), number(chat[2]), redis.call('ZCARD', SHARD .. 'chat:' .. id))
  add('code', id, number(redis.call('HGET', SHARD .. 'room:' .. id, 'snippetCount') or 0))
  local numbers = redis.call('HKEYS', SHARD .. 'snippets:' .. id)
  table.sort(numbers)
  for _, field in ipairs(numbers) do
    local snippet = cjson.decode(redis.call('HGET', SHARD .. 'snippets:' .. id, field))
    local text = redis.call('HGET', SHARD .. 'code:' .. id, field)
    local json = redis.call('HGET', SHARD .. 'documents:' .. id, field)
    local document = json and cjson.decode(json)
    add('snippet', id, field, number(snippet.number), number(snippet.version), snippet.editors,
      text or table.concat({ number(document.edit), number(document.merged), number(document.logBytes) }, ' '))
  end
  add('documents', id, redis.call('HLEN', SHARD .. 'documents:' .. id))
  scores('closed:' .. id, 'closed ' .. id)
  scores('attendees:' .. id, 'attended ' .. id)
  for _, node in ipairs(NODES) do
    local entries = redis.call('HGET', SHARD .. 'nodes:' .. id, node)
    if entries then
      add('node-entries', id, node, entries)
    end
  end
end

add('epoch', number(redis.call('GET', SHARD .. 'epoch') or 0))
local clock = redis.call('HMGET', SHARD .. 'clock', 'ranAt', 'pausedMs')
add('clock', number(clock[1]), number(clock[2] or 0))
scores('deadlines', 'due')
scores('leases', 'lease')
for _, node in ipairs(NODES) do
  local since = redis.call('HGET', SHARD .. 'leased', node)
  local held = redis.call('SMEMBERS', SHARD .. 'node:' .. node)
  if since or #held > 0 then
    add('node', node, number(since), sorted(held))
  end
end
for _, id in ipairs(ROOMS) do
  add_room(id)
end
add_keys()
redis.call('PUBLISH', 'rollcall:events:', 'end of events')
return lines
