// The chat of the room, for moderation.

import type { Message } from '@rollcall/server/generated.js';
import { useState } from 'preact/hooks';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { newCommandId, useService } from '../service.js';
import { useRead } from './use-read.js';
import type { PartProps } from './view.js';

/** The most that a call returns. */
const PAGE = 100;
const INTERVALS_S = ['0', '5', '15', '30', '60'] as const;

export function MessagesPanel({ id, room, version, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { messages: words } = language.texts;
  const [older, setOlder] = useState<Message[]>([]);
  const [hasOlder, setHasOlder] = useState<boolean | null>(null);
  const latest = useRead((signal) => api.history(id, { limit: PAGE, signal }), version);
  const page = latest.data;
  const first = older[0]?.number ?? page?.first;
  const olderPage = useOlder(id, (messages, more, deleted) => {
    setOlder((all) => [...messages, ...all.filter(({ number }) => !deleted.includes(number))]);
    setHasOlder(more);
  });

  const askForSlowMode = () => {
    const commandId = newCommandId();
    ask<{ seconds: (typeof INTERVALS_S)[number] }>({
      title: words.slow.title,
      text: words.slow.text,
      initial: { seconds: '15' },
      fields: ({ seconds }, set) => (
        <fieldset class="choices">
          <legend>{words.slow.interval}</legend>
          {INTERVALS_S.map((value) => (
            <label key={value}>
              <input type="radio" name="seconds" checked={seconds === value} onChange={() => set({ seconds: value })} />
              <span>{value === '0' ? words.slow.off : language.length(Number(value) * 1000)}</span>
            </label>
          ))}
        </fieldset>
      ),
      confirm: words.slow.confirm,
      run: async ({ seconds }) => {
        const intervalMs = Number(seconds) * 1000;
        await api.commandChat(id, { command: 'chat:slow', data: { intervalMs }, id: commandId });
        latest.refresh();
        return intervalMs === 0 ? words.slow.doneOff(id) : words.slow.done(id, language.length(intervalMs));
      },
    });
  };

  const askToDelete = (message: Message) => {
    const commandId = newCommandId();
    ask({
      title: words.remove.title(message.userName),
      text: (
        <blockquote>
          <bdi>{message.text}</bdi>
        </blockquote>
      ),
      initial: {},
      confirm: words.remove.confirm,
      isDangerous: true,
      run: async () => {
        await api.commandChat(id, { command: 'chat:delete', data: { number: message.number }, id: commandId });
        setOlder((all) => all.filter(({ number }) => number !== message.number));
        latest.refresh();
        refresh();
        return words.remove.done(message.userName, id);
      },
    });
  };

  const shown = [...older, ...(page?.messages ?? []).filter(({ number }) => number > (older.at(-1)?.number ?? 0))];
  return (
    <>
      <div class="tools">
        {mayChange && room && (
          <button type="button" onClick={askForSlowMode}>
            {page?.slowMs ? words.slow.isOn(language.length(page.slowMs)) : words.slow.title}
          </button>
        )}
        {(hasOlder ?? page?.more) && first != null && (
          <button type="button" onClick={() => olderPage.read(first)}>
            {words.older}
          </button>
        )}
      </div>
      {latest.error !== null && <p class="problem">{language.error(latest.error)}</p>}
      {olderPage.error !== null && <p class="problem">{language.error(olderPage.error)}</p>}
      {page && shown.length === 0 && <p class="empty">{words.none}</p>}
      <ol class="messages" aria-label={language.texts.room.tabs.messages}>
        {shown.map((message) => (
          <li key={message.number} class="message-row">
            <p class="message-head">
              <bdi class="name">{message.userName}</bdi> <bdi class="fine">{String(message.userId)}</bdi>{' '}
              <time class="fine" dateTime={new Date(message.sentAt).toISOString()}>
                {language.moment(message.sentAt)}
              </time>
            </p>
            <p class="message-text" dir="auto">
              {message.text}
            </p>
            {mayChange && room && (
              <button
                type="button"
                class="quiet danger-quiet"
                aria-label={words.remove.title(message.userName)}
                onClick={() => askToDelete(message)}
              >
                {words.remove.short}
              </button>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

/** Reads the messages before a number. */
function useOlder(id: string, onPage: (messages: Message[], more: boolean, deleted: number[]) => void) {
  const { api } = useService();
  const [error, setError] = useState<unknown>(null);
  const read = (before: number) => {
    api.history(id, { before, limit: PAGE }).then(({ messages, more, deleted }) => {
      setError(null);
      onPage(messages, more, deleted);
    }, setError);
  };
  return { read, error };
}
