// Where messages are written.

import { useChat, useConnection, useRoomSelector } from '@rollcall/react';
import { useState } from 'preact/hooks';

import { useLasting } from '../mutes.js';
import { useLanguage } from '../texts/language.js';

const LONGEST = 2000;

export function Composer({ submit }: { submit: (text: string) => void }) {
  const { slowMs, mutedUntil } = useChat();
  const { state } = useConnection();
  const offsetMs = useRoomSelector(({ clock }) => clock.offsetMs);
  const isMuted = useLasting(mutedUntil === null ? [] : [{ mutedUntil }], offsetMs).length > 0;
  const language = useLanguage();
  const { messages, connection } = language.texts;
  const [text, setText] = useState('');
  const send = () => {
    if (isMuted || !text.trim()) return;
    submit(text);
    setText('');
  };
  const hint = isMuted
    ? messages.muted
    : state === 'reconnecting'
      ? connection.queued
      : slowMs > 0
        ? messages.slow(language.length(slowMs))
        : '';
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer-row">
        <textarea
          aria-label={messages.write}
          aria-describedby="composer-hint"
          placeholder={messages.write}
          rows={1}
          value={text}
          maxLength={LONGEST}
          readOnly={isMuted}
          dir="auto"
          enterkeyhint="send"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={(event) => {
            // Enter also ends the composition of a Korean syllable, which is no wish to send.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
            event.preventDefault();
            send();
          }}
        />
        <button type="submit" class="primary" aria-disabled={isMuted || !text.trim()}>
          {messages.send}
        </button>
      </div>
      <p class="fine hint" id="composer-hint" role="status">
        {hint || '\u00a0'}
      </p>
    </form>
  );
}
