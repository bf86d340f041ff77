// Sets the timer.

import type { TimerPlan } from '@rollcall/client';
import { useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';

const MINUTE_MS = 60_000;
const MODES = ['pomodoro', 'countdown', 'stopwatch'] as const satisfies readonly TimerPlan['mode'][];

const minutesOf = (ms: number) => Math.round(ms / MINUTE_MS);

export function TimerForm({
  plan,
  submit,
  cancel,
}: {
  plan: TimerPlan | undefined;
  submit: (plan: TimerPlan) => void;
  cancel: (() => void) | undefined;
}) {
  const { timers } = useLanguage().texts;
  const [mode, setMode] = useState<TimerPlan['mode']>(plan?.mode ?? 'pomodoro');
  const [focus, setFocus] = useState(plan?.mode === 'pomodoro' && plan.focusMs ? minutesOf(plan.focusMs) : 25);
  const [rest, setRest] = useState(plan?.mode === 'pomodoro' && plan.shortBreakMs ? minutesOf(plan.shortBreakMs) : 5);
  const [minutes, setMinutes] = useState(plan?.mode === 'countdown' ? minutesOf(plan.durationMs) : 45);
  const make = (): TimerPlan => {
    if (mode === 'pomodoro') return { mode, focusMs: focus * MINUTE_MS, shortBreakMs: rest * MINUTE_MS };
    if (mode === 'countdown') return { mode, durationMs: minutes * MINUTE_MS };
    return { mode };
  };
  return (
    <form
      class="timer-form"
      onSubmit={(event) => {
        event.preventDefault();
        submit(make());
      }}
    >
      <fieldset class="choices">
        <legend class="hidden">{timers.mode}</legend>
        {MODES.map((name) => (
          <label key={name}>
            <input type="radio" name="mode" value={name} checked={mode === name} onChange={() => setMode(name)} />
            <span>{timers.modes[name]}</span>
          </label>
        ))}
      </fieldset>
      <div class="fields">
        {mode === 'pomodoro' && (
          <>
            <Minutes label={timers.focusMinutes} value={focus} change={setFocus} />
            <Minutes label={timers.breakMinutes} value={rest} change={setRest} />
          </>
        )}
        {mode === 'countdown' && <Minutes label={timers.minutes} value={minutes} change={setMinutes} />}
      </div>
      <div class="actions">
        <button type="submit" class="primary">
          {timers.set}
        </button>
        {cancel && (
          <button type="button" class="quiet" onClick={cancel}>
            {timers.cancel}
          </button>
        )}
      </div>
    </form>
  );
}

function Minutes({ label, value, change }: { label: string; value: number; change: (minutes: number) => void }) {
  return (
    <label class="minutes">
      <span>{label}</span>
      <input
        type="number"
        inputMode="numeric"
        required
        min={1}
        max={180}
        value={value}
        onInput={({ currentTarget }) => change(currentTarget.valueAsNumber)}
      />
    </label>
  );
}
