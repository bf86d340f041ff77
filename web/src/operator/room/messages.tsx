// The chat of the room, for moderation.

import type { Message } from '@rollcall/server/generated.js';
import { useRef } from 'preact/hooks';

import { useAsk } from '../ask.js';
import { useLanguage } from '../language.js';
import { newCommandId, useService } from '../service.js';
import { withoutMarks } from '../texts/with-names.js';
import { useMessages } from './use-messages.js';
import type { PartProps } from './view.js';

const INTERVALS_S = ['0', '5', '15', '30', '60'] as const;

export function MessagesPanel(props: PartProps) {
  const epoch = useRef<number | null>(null);
  // The messages may be kept after the end, until the next session begins.
  if (props.room) epoch.current = props.room.epoch;
  return <SessionMessages key={epoch.current} {...props} />;
}

function SessionMessages({ id, room, version, refresh }: PartProps) {
  const { api, mayChange } = useService();
  const ask = useAsk();
  const language = useLanguage();
  const { messages: words } = language.texts;
  const { messages, hasOlder, slowMs, isRead, error, olderError, ...read } = useMessages(id, version);

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
        read.refresh();
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
        read.refresh();
        refresh();
        return words.remove.done(message.userName, id);
      },
    });
  };

  return (
    <>
      <div class="tools">
        {mayChange && room && (
          <button type="button" onClick={askForSlowMode}>
            {slowMs > 0 ? words.slow.isOn(language.length(slowMs)) : words.slow.title}
          </button>
        )}
        {hasOlder && (
          <button type="button" onClick={read.readOlder}>
            {words.older}
          </button>
        )}
      </div>
      {error !== null && <p class="problem">{language.error(error)}</p>}
      {olderError !== null && <p class="problem">{language.error(olderError)}</p>}
      {isRead && messages.length === 0 && <p class="empty">{words.none}</p>}
      <ol class="messages" aria-label={language.texts.room.tabs.messages}>
        {messages.map((message) => (
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
                aria-label={withoutMarks(words.remove.title(message.userName))}
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
