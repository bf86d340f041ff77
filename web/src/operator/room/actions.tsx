// What operators do with a whole room. What cannot be taken back stands apart.

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { useService } from '../service.js';
import type { PartProps } from './view.js';

const MINUTE_MS = 60_000;
const LATER_MIN = [15, 30, 60];
const MAX_NOTICE = 2000;

/** The value of a field for a date and a time, which is in the browser's time zone. */
function toField(ms: number): string {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

export function Actions({ id, room, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { actions: words } = language.texts;
  if (!mayChange) return <p class="fine read-only-hint">{language.texts.header.readOnlyHint}</p>;

  const askToNotify = () =>
    ask({
      title: words.notice.title,
      text: words.notice.text,
      initial: { text: '' },
      fields: ({ text }, set) => (
        <label class="field">
          <span>{words.notice.field}</span>
          <textarea
            rows={4}
            dir="auto"
            maxLength={MAX_NOTICE}
            required
            value={text}
            onInput={({ currentTarget }) => set({ text: currentTarget.value })}
          />
        </label>
      ),
      isValid: ({ text }) => text.trim() !== '',
      confirm: words.notice.confirm,
      run: async ({ text }) => {
        await api.notify(id, text.trim());
        return words.notice.done(id);
      },
    });

  const askToMove = (endAt: number) => {
    const now = () => Date.now() + (room?.clockOffsetMs ?? 0);
    ask({
      title: words.move.title,
      text: words.move.text(language.moment(endAt)),
      initial: { end: toField(endAt) },
      fields: ({ end }, set) => (
        <>
          <label class="field">
            <span>{words.move.field}</span>
            <input
              type="datetime-local"
              required
              value={end}
              onInput={({ currentTarget }) => set({ end: currentTarget.value })}
            />
          </label>
          <div class="tools">
            {LATER_MIN.map((minutes) => (
              <button key={minutes} type="button" onClick={() => set({ end: toField(endAt + minutes * MINUTE_MS) })}>
                {words.move.later(language.length(minutes * MINUTE_MS))}
              </button>
            ))}
          </div>
          {Date.parse(end) <= now() && <p class="problem">{words.move.past}</p>}
        </>
      ),
      // An end in the past would end the session, and that is another action.
      isValid: ({ end }) => Date.parse(end) > now(),
      confirm: words.move.confirm,
      run: async ({ end }) => {
        const moved = Date.parse(end);
        await api.patch(id, { endAt: moved });
        refresh();
        return words.move.done(id, language.moment(moved));
      },
    });
  };

  const askToEnd = () =>
    ask({
      title: words.end.title,
      text: words.end.text(id, room?.members.length ?? 0, language.number(room?.members.length ?? 0)),
      initial: {},
      confirm: words.end.confirm,
      isDangerous: true,
      run: async () => {
        await api.end(id);
        refresh();
        return words.end.done(id);
      },
    });

  if (!room) return null;
  return (
    <div class="actions">
      <button type="button" class="primary" onClick={askToNotify}>
        {words.notice.title}
      </button>
      <button type="button" onClick={() => askToMove(room.endAt)}>
        {words.move.title}
      </button>
      <button type="button" class="danger-quiet apart" onClick={askToEnd}>
        {words.end.title}
      </button>
    </div>
  );
}
