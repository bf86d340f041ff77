-- Sets the timer of a room, or starts, stops or changes it.
--
-- KEYS[1]  the shard's deadlines
-- ARGV[1]  settings: now?, graceMs, leaseMs, rosterLimit, retentionMs, closedEntryMs, timerBurst, timerIntervalMs
-- ARGV[2]  call: roomId; userId?, entryId? (a member's connection; an operator has none); commandId; command: timer:set,
--          timer:start, timer:pause, timer:resume, timer:skip or timer:reset; data: of timer:set, the plan
--
-- Returns  {'OK', JSON {timer, epoch, seq, now}}  also for a command that was applied before, or changes nothing; seq:
--                                    the last event that the timer includes
--          {'NOT_LIVE'}               the room is not live
--          {'NOT_IN_ROOM'}            the entry is not current
--          {'FEATURE_OFF'}            the session uses no timer
--          {'NOT_ALLOWED'}            the session lets only others set the timer
--          {'NO_TIMER'}               no timer is set
--          {'TIMER_STATE'}            the timer cannot do this in its state
--          {'RATE_LIMITED'}           the user changes the timer too often
--          {'SETTLE'}                 something is overdue
--          {'HANDED_OVER', JSON {shards, announced, epoch}}  the room lies in another shard
--
-- Events   timer:changed  the timer has changed

--- @include "caller"
--- @include "command"
--- @include "layout"
--- @include "rate_limit"
--- @include "settled"
--- @include "timer"

-- What the commands do to a timer that is set. from: the states in which the command changes the timer; already: the state in
-- which the timer is as the command wishes
local ACTIONS = {
  ['timer:start'] = {
    from = { idle = true, finished = true },
    already = 'running',
    apply = function(timer)
      run_from(timer, now)
    end,
  },
  ['timer:pause'] = {
    from = { running = true },
    already = 'paused',
    apply = function(timer)
      stop(timer, 'paused', math.max(0, now - timer.startedAt))
    end,
  },
  ['timer:resume'] = {
    from = { paused = true },
    already = 'running',
    apply = function(timer)
      run_from(timer, now - timer.elapsedMs)
    end,
  },
  ['timer:skip'] = {
    from = { running = true, paused = true },
    needs_phases = true,
    apply = function(timer)
      go_to_next_phase(timer)
      if timer.state == 'running' then
        run_from(timer, now)
      else
        timer.elapsedMs = 0
      end
    end,
  },
  ['timer:reset'] = {
    from = { running = true, paused = true, finished = true },
    already = 'idle',
    apply = function(timer)
      timer.phase, timer.cycle = FIRST_PHASES[timer.plan.mode], timer.cycle and 1
      stop(timer, 'idle')
    end,
  },
}

-- The leader is host while in the room, so the leader always may.
local function is_allowed(room, timer_by)
  return not call.userId or timer_by == 'anyone' or call.userId == room.leader
    or timer_by == 'host' and call.userId == room.host
end

-- Applies the command. Returns the new timer, or nothing and a refusal, or nothing if the timer is as the command wishes.
local function apply(room)
  if call.command == 'timer:set' then
    return build_timer(call.data)
  end
  local timer = load_timer(room)
  if not timer then
    return nil, { 'NO_TIMER' }
  end
  local action = ACTIONS[call.command]
  if timer.state == action.already then
    return nil
  end
  if not action.from[timer.state] or action.needs_phases and not timer.cycle then
    return nil, { 'TIMER_STATE' }
  end
  action.apply(timer)
  return timer
end

local function build_ack(room)
  return { 'OK', encode_with({ epoch = room.epoch, seq = room.seq, now = now }, 'timer', room.timer) }
end

local function publish_timer(room)
  publish(room, 'timer:changed', { by = describe_caller(room), now = now }, { timer = room.timer })
end

local function handle(room)
  if not is_inside(room) then
    return { 'NOT_IN_ROOM' }
  end
  local terms = redis.call('HMGET', room.key, 'features', 'timerBy')
  if not has_feature(terms[1], 'timer') then
    return { 'FEATURE_OFF' }
  end
  if is_repeated(room) then
    return build_ack(room)
  end
  if not is_allowed(room, terms[2] or 'host') then
    return { 'NOT_ALLOWED' }
  end
  local timer, refusal = apply(room)
  if not timer then
    return refusal or build_ack(room)
  end
  if call.userId and not count(room, 'timer\t' .. call.userId, settings.timerBurst, settings.timerIntervalMs) then
    return { 'RATE_LIMITED' }
  end
  remember_command(room)
  save_timer(room, timer)
  publish_timer(room)
  schedule(room)
  return build_ack(room)
end

local room = load_settled_room(call.roomId)
if not room then
  return SETTLE
end
if not room.is_live then
  return hand_over(room.id) or { call.userId and 'NOT_IN_ROOM' or 'NOT_LIVE' }
end
return handle(room)
