-- The timer that the members of a room share. The room stores since when a phase counts and never a tick, so the timer
-- runs while nobody looks.
--
-- A timer, as the room stores it and clients see it:
-- plan        what to count: {mode: pomodoro, focusMs, shortBreakMs, longBreakMs, cycles}, {mode: countdown, durationMs}
--             or {mode: stopwatch}
-- state       idle (before the first phase), running, paused, or finished (a countdown that has run down)
-- phase       focus, shortBreak or longBreak; countdown; stopwatch
-- cycle?      the number of the phase of focus, which the break after it shares
-- startedAt?  while it runs: since when the phase counts, without pauses
-- endsAt?     while it runs: when the phase ends, if it has an end
-- elapsedMs?  while it is paused: how long the phase has lasted

--- @include "publish"
--- @include "room"

local FIRST_PHASES = { pomodoro = 'focus', countdown = 'countdown', stopwatch = 'stopwatch' }

local function build_timer(plan)
  return { plan = plan, state = 'idle', phase = FIRST_PHASES[plan.mode], cycle = plan.mode == 'pomodoro' and 1 or nil }
end

local function load_timer(room)
  return room.timer and cjson.decode(room.timer)
end

local function save_timer(room, timer)
  room.timer, room.phase_ends_at = cjson.encode(timer), timer.endsAt
  redis.call('HSET', room.key, 'timer', room.timer)
  set_field(room, 'phaseEndsAt', timer.endsAt)
end

local function run_from(timer, started_at)
  local length = timer.plan.durationMs or timer.plan[timer.phase .. 'Ms']
  timer.state, timer.startedAt, timer.elapsedMs = 'running', started_at, nil
  timer.endsAt = length and started_at + length
end

local function stop(timer, state, elapsed_ms)
  timer.state, timer.startedAt, timer.endsAt, timer.elapsedMs = state, nil, nil, elapsed_ms
end

-- Goes on to the phase that follows in a plan with several.
local function go_to_next_phase(timer)
  if timer.phase == 'focus' then
    timer.phase = timer.cycle < timer.plan.cycles and 'shortBreak' or 'longBreak'
  else
    timer.cycle = timer.phase == 'shortBreak' and timer.cycle + 1 or 1
    timer.phase = 'focus'
  end
end

-- Ends the phases that are over. Returns how many: several if nobody has looked for long. All phases of a plan together
-- lead back to the same phase, so the work does not grow with the time.
local function end_phases(timer)
  local plan = timer.plan
  if plan.mode == 'countdown' then
    stop(timer, 'finished')
    return 1
  end
  local plan_ms = plan.cycles * plan.focusMs + (plan.cycles - 1) * plan.shortBreakMs + plan.longBreakMs
  local repeats = math.floor((now - timer.endsAt) / plan_ms)
  local phases, ends_at = repeats * 2 * plan.cycles, timer.endsAt + repeats * plan_ms
  repeat
    go_to_next_phase(timer)
    run_from(timer, ends_at)
    phases, ends_at = phases + 1, timer.endsAt
  until now < ends_at
  return phases
end

-- Changes the phase if its end has passed.
local function change_phase(room)
  if not room.phase_ends_at or now < room.phase_ends_at then
    return
  end
  local timer = load_timer(room)
  local phases = end_phases(timer)
  save_timer(room, timer)
  publish(room, 'timer:phaseChanged', { phases = phases, now = now }, { timer = room.timer })
end
