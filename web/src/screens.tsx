// Screens without a room.

import type { CloseReason } from '@rollcall/client';
import { useConnection, useRoom, useRoomSelector } from '@rollcall/react';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

import { LanguageSwitch, useLanguage } from './texts/language.js';

/** A page with one message. Its title has the focus, so that screen readers begin there. */
function Screen({ title, text, children }: { title: string; text: string; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), [title]);
  return (
    <div class="screen">
      <header class="screen-header">
        <LanguageSwitch />
      </header>
      <main class="message">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p>{text}</p>
        {children}
      </main>
    </div>
  );
}

export function MissingLink() {
  const { link } = useLanguage().texts;
  return <Screen title={link.title} text={link.text} />;
}

/** Before the first join. */
export function Connecting() {
  const { groupId } = useRoom();
  const { error } = useConnection();
  const language = useLanguage();
  const { connection } = language.texts;
  const text = !error ? connection.connecting : error.code ? language.meaning(error.code) : connection.slow;
  return (
    <div class="screen">
      <header class="screen-header">
        <LanguageSwitch />
      </header>
      <main class="message">
        <h1 dir="auto">{groupId}</h1>
        <p role="status">{text}</p>
      </main>
    </div>
  );
}

/** Refusals that may be over by the time of another attempt. */
const WORTH_A_RETRY = new Set<string>([
  'ALREADY_JOINED',
  'NOT_A_MEMBER',
  'NOT_LIVE',
  'NO_SUCH_ROOM',
  'ORIGIN_NOT_ALLOWED',
  'OVERLOADED',
  'ROOM_FULL',
  'TOO_MANY_CONNECTIONS',
  'TOO_MANY_FROM_ADDRESS',
  'TOO_MANY_SOCKETS',
  'UNAVAILABLE',
]);

/** After the connection has been closed for good. */
export function Closed({ reason }: { reason: CloseReason }) {
  const { join } = useConnection();
  const isOver = useRoomSelector(({ session }) => session?.ended != null);
  const language = useLanguage();
  const { end, errors } = language.texts;
  if (reason.kind === 'refused') {
    const { code = '' } = reason;
    if (code === 'SESSION_ENDED') return <Screen {...end.ended} />;
    return (
      <Screen title={end.refused} text={language.meaning(code)}>
        {WORTH_A_RETRY.has(code) || !(code in errors) ? (
          <button type="button" class="primary" onClick={join}>
            {end.retry}
          </button>
        ) : null}
      </Screen>
    );
  }
  const canReturn = ['left', 'closed', 'replaced'].includes(reason.kind) && !isOver;
  return (
    <Screen {...end[reason.kind]}>
      {canReturn && (
        <button type="button" class="primary" onClick={join}>
          {reason.kind === 'replaced' ? end.here : end.again}
        </button>
      )}
    </Screen>
  );
}
