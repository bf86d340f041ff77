// The timer that all members see.

import type { TimerAction, TimerPlan } from '@rollcall/server/generated.js';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { newCommandId, useService } from '../service.js';
import type { PartProps } from './view.js';

const MINUTE_MS = 60_000;
const COMMANDS = ['start', 'pause', 'resume', 'skip', 'reset'] as const;
type Command = (typeof COMMANDS)[number];

/** What makes sense in which state. */
const POSSIBLE: Record<string, Command[]> = {
  idle: ['start'],
  running: ['pause', 'skip', 'reset'],
  paused: ['resume', 'skip', 'reset'],
  finished: ['reset'],
};

const MODES = ['pomodoro', 'countdown', 'stopwatch'] as const;

export function TimerPanel({ id, room, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { timer: words } = language.texts;
  if (!room) return <p class="empty">{words.noRoom}</p>;
  const { timer } = room;

  const command = async (action: TimerAction, commandId: string) => {
    await api.commandTimer(id, { ...action, id: commandId });
    refresh();
  };

  const askFor = (name: Command) => {
    const commandId = newCommandId();
    ask({
      title: words.commands[name].title,
      text: words.everybody,
      initial: {},
      confirm: words.commands[name].confirm,
      run: async () => {
        await command({ command: `timer:${name}`, data: {} }, commandId);
        return words.commands[name].done(id);
      },
    });
  };

  const askToSet = () => {
    const commandId = newCommandId();
    ask<{ mode: (typeof MODES)[number]; minutes: string }>({
      title: words.set.title,
      text: words.set.text,
      initial: { mode: 'pomodoro', minutes: '25' },
      fields: ({ mode, minutes }, set) => (
        <>
          <fieldset class="choices">
            <legend>{words.set.mode}</legend>
            {MODES.map((value) => (
              <label key={value}>
                <input type="radio" name="mode" checked={mode === value} onChange={() => set({ mode: value })} />
                <span>{words.modes[value]}</span>
              </label>
            ))}
          </fieldset>
          {mode !== 'stopwatch' && (
            <label class="field">
              <span>{mode === 'pomodoro' ? words.set.focusMinutes : words.set.minutes}</span>
              <input
                type="number"
                min="1"
                max="720"
                required
                value={minutes}
                onInput={({ currentTarget }) => set({ minutes: currentTarget.value })}
              />
            </label>
          )}
        </>
      ),
      isValid: ({ mode, minutes }) => mode === 'stopwatch' || (Number(minutes) >= 1 && Number(minutes) <= 720),
      confirm: words.set.confirm,
      run: async ({ mode, minutes }) => {
        const ms = Number(minutes) * MINUTE_MS;
        const plans: Record<typeof mode, TimerPlan> = {
          pomodoro: { mode: 'pomodoro', focusMs: ms },
          countdown: { mode: 'countdown', durationMs: ms },
          stopwatch: { mode: 'stopwatch' },
        };
        await command({ command: 'timer:set', data: plans[mode] }, commandId);
        return words.set.done(id, words.modes[mode]);
      },
    });
  };

  return (
    <>
      {timer ? (
        <p class="timer-state">
          <strong>{words.phases[timer.phase]}</strong> {words.states[timer.state]}
          {timer.endsAt != null && ` · ${words.until(language.time(timer.endsAt))}`}
        </p>
      ) : (
        <p class="empty">{words.none}</p>
      )}
      {mayChange && (
        <div class="tools">
          {(timer ? (POSSIBLE[timer.state] ?? []) : []).map((name) => (
            <button key={name} type="button" onClick={() => askFor(name)}>
              {words.commands[name].confirm}
            </button>
          ))}
          <button type="button" onClick={askToSet}>
            {words.set.title}
          </button>
        </div>
      )}
    </>
  );
}
