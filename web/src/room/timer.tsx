// The shared timer.

import { RollcallError, serverNow, type TimerPlan, type TimerView } from '@rollcall/client';
import { useRoom, useRoomEvent, useRoomSelector, useSelf, useTimer } from '@rollcall/react';
import { useEffect, useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';
import { TimerForm } from './timer-form.js';
import { useAttempt } from './toasts.js';

export function TimerPanel() {
  const { timer, view, hasTimer, set, ...commands } = useTimer();
  const show = useAttempt();
  // Only the server knows whom the session lets set the timer.
  const [mayNot, setMayNot] = useState(false);
  const { isHost, isLeader } = useSelf();
  useEffect(() => setMayNot(false), [isHost, isLeader]);
  const attempt = (work: Promise<unknown>) => {
    work.catch((error: unknown) => {
      if (error instanceof RollcallError && error.code === 'NOT_ALLOWED') setMayNot(true);
    });
    show(work);
  };
  const [isChanging, setChanging] = useState(false);
  const language = useLanguage();
  const { texts } = language;
  useTitle(view);
  if (!hasTimer) return null;
  const isForm = !timer || isChanging;
  return (
    <section class="timer" aria-labelledby="timer-title" data-phase={view?.phase} data-state={view?.state}>
      <h2 id="timer-title" class="hidden">
        {texts.timer}
      </h2>
      {timer && view ? (
        <>
          <p class="phase">
            {texts.timers.phases[view.phase]}
            {view.state !== 'running' && <span class="state"> · {texts.timers.states[view.state]}</span>}
          </p>
          <Clock view={view} />
          <Progress view={view} />
          <p class="fine">{useDetails(timer.plan, view, timer.endsAt)}</p>
        </>
      ) : (
        <>
          <p class="phase">{texts.timers.none}</p>
          <p class="clock" aria-hidden="true">
            --:--
          </p>
        </>
      )}
      {mayNot ? null : isForm ? (
        <TimerForm
          plan={timer?.plan}
          cancel={timer ? () => setChanging(false) : undefined}
          submit={(plan) => {
            setChanging(false);
            attempt(set(plan));
          }}
        />
      ) : (
        <div class="actions">
          <Actions state={view?.state} plan={timer.plan} commands={commands} attempt={attempt} />
          <button type="button" class="quiet" onClick={() => setChanging(true)}>
            {texts.timers.change}
          </button>
        </div>
      )}
      <Announcement view={view} />
    </section>
  );
}

const FIRST = { idle: 'start', running: 'pause', paused: 'resume', finished: null } as const;

type Commands = Pick<ReturnType<typeof useTimer>, 'start' | 'pause' | 'resume' | 'skip' | 'reset'>;

function Actions({
  state,
  plan,
  commands,
  attempt,
}: {
  state: TimerView['state'] | undefined;
  plan: TimerPlan;
  commands: Commands;
  attempt: (work: Promise<unknown>) => void;
}) {
  const { timers } = useLanguage().texts;
  const button = (name: keyof Commands, isPrimary = false) => (
    <button type="button" class={isPrimary ? 'primary' : ''} onClick={() => attempt(commands[name]())}>
      {timers[name]}
    </button>
  );
  const first = state && FIRST[state];
  // The first button stays the same element, so it keeps the focus while its meaning changes.
  return (
    <>
      {first && button(first, true)}
      {state === 'running' && plan.mode === 'pomodoro' && button('skip')}
      {state !== 'idle' && button('reset')}
    </>
  );
}

/** `25:00`, or `1:05:00`. */
export function digits(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const pad = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${pad(minutes)}:${pad(seconds % 60)}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

const shownMs = ({ remainingMs, elapsedMs }: TimerView) => remainingMs ?? elapsedMs;

function Clock({ view }: { view: TimerView }) {
  const language = useLanguage();
  const text = digits(shownMs(view));
  return (
    <p class="clock" role="timer" data-long={text.length > 5 || undefined}>
      <span aria-hidden="true">{text}</span>
      <span class="hidden">{language.length(shownMs(view))}</span>
    </p>
  );
}

function Progress({ view: { elapsedMs, durationMs } }: { view: TimerView }) {
  const share = durationMs ? Math.min(elapsedMs / durationMs, 1) : 0;
  return (
    <div class="progress" aria-hidden="true">
      <div style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}

function useDetails(plan: TimerPlan, { state, cycle }: TimerView, endsAt: number | undefined): string {
  const language = useLanguage();
  const { timers } = language.texts;
  const clock = useRoomSelector(({ clock }) => clock);
  const parts = [];
  if (plan.mode === 'pomodoro' && cycle !== null) parts.push(timers.cycle(cycle, plan.cycles ?? 4));
  if (state === 'running' && endsAt !== undefined && endsAt > serverNow(clock))
    parts.push(timers.endsAt(language.time(endsAt)));
  return parts.join(' · ') || '\u00a0';
}

/** Says that a phase has begun: a timer that spoke each second would disturb. */
function Announcement({ view }: { view: TimerView | null }) {
  const { timers } = useLanguage().texts;
  const [text, setText] = useState('');
  useRoomEvent('timer:phaseChanged', ({ timer }) => {
    setText(timer.state === 'finished' ? timers.finished : timers.phaseBegan(timers.phases[timer.phase]));
  });
  return (
    <p class="hidden" role="status">
      {view && text}
    </p>
  );
}

/** The title shows the timer, for those who work in another tab. */
function useTitle(view: TimerView | null): void {
  const { groupId } = useRoom();
  const { phases } = useLanguage().texts.timers;
  const isShown = view?.state === 'running' || view?.state === 'paused';
  const title = isShown ? `${digits(shownMs(view))} ${phases[view.phase]} · ${groupId}` : String(groupId);
  useEffect(() => {
    document.title = title;
  }, [title]);
}
