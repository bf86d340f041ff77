-- The shards among which rooms lie. Their number grows while sessions go on: a session that started in the room's earlier
-- shard stays there until its end. Later, that shard sends all calls to the room's new shard.
--
-- Scripts that use this file take two arguments more, and one setting:
--
-- settings.shards  the number of shards that the caller knows
-- call.newShards?    in the room's earlier shard: that number
-- call.handover?      in the room's new shard: what the earlier shard replied

--- @include "change"

-- Instances that know only of the earlier shards do not run for so long after a change of the number.
local HANDOVER_MS = 24 * 60 * 60 * 1000

-- In the first shard: the largest number of shards among which a room lies. Not there if the number has never changed.
local LAYOUT = SHARD .. 'layout'

local function load_layout()
  return tonumber(redis.call('GET', LAYOUT) or 0)
end

local function count_shards()
  return math.max(settings.shards, load_layout())
end

-- Returns the number of shards among which the room lies, if this shard has handed it over, or the caller knows of more
-- shards. Once there are more shards, what was handed over before lies in one of the shards that the caller knows.
local function find_new_number(key)
  if call.newShards then
    return call.newShards
  end
  local handed_to = tonumber(redis.call('GET', key) or 0)
  local known = math.max(settings.shards, call.handover and call.handover.shards or 0)
  return handed_to > known and handed_to
end

-- Hands over a room that is not live, for good. Returns the reply that sends the caller to the room's new shard, or none
-- if the room lies here.
local function hand_over(id)
  local key = build_key('handover', id)
  local shards = find_new_number(key)
  if not shards or redis.call('EXISTS', build_key('room', id)) == 1 then
    return nil
  end
  redis.call('SET', key, shards, 'PX', HANDOVER_MS)
  local epoch = tonumber(redis.call('GET', SHARD .. 'epoch') or 0)
  return { 'HANDED_OVER', cjson.encode({ shards = shards, announced = load_announced(id), epoch = epoch }) }
end
