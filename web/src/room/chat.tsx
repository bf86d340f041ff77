// The messages of the room.

import { type Message, RollcallError } from '@rollcall/client';
import { useChat, useSelf } from '@rollcall/react';
import { memo } from 'preact/compat';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useLanguage } from '../texts/language.js';
import { Composer } from './composer.js';
import { useAsk } from './dialog.js';
import { SlowMode } from './moderation.js';
import { useAttempt } from './toasts.js';

/** A message that the server does not have yet. */
interface Draft {
  key: number;
  text: string;
  error: unknown;
}

/** So close to its end, a list that grows follows. */
const NEAR_PX = 48;

export function ChatPanel() {
  const { messages, hasOlder, hasChat, isCurrent, older, send } = useChat();
  const { isLeader } = useSelf();
  const attempt = useAttempt();
  const { texts } = useLanguage();
  const { drafts, sendText, drop } = useDrafts(send);
  const { list, isBehind, onScroll, toEnd } = useFollowing([messages.at(-1)?.number, drafts.length]);
  return (
    <section class="panel chat" id="chat" tabIndex={-1} aria-labelledby="chat-title">
      <header class="panel-header">
        <h2 id="chat-title">{texts.chat}</h2>
        {hasChat && isLeader && <SlowMode />}
      </header>
      {hasChat ? (
        <>
          <div class="log-frame">
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: people who use a keyboard scroll the messages. */}
            <div class="log" role="log" aria-labelledby="chat-title" tabIndex={0} ref={list} onScroll={onScroll}>
              {hasOlder && (
                <button type="button" class="quiet older" onClick={() => attempt(older())}>
                  {texts.messages.older}
                </button>
              )}
              {isCurrent && messages.length === 0 && drafts.length === 0 && <p class="empty">{texts.messages.empty}</p>}
              {messages.map((message, index) => (
                <Entry key={message.number} message={message} follows={follows(messages[index - 1], message)} />
              ))}
              {/* The message itself is read out when it has arrived. */}
              <div class="drafts" aria-live="off">
                {drafts.map((draft) => (
                  <DraftEntry key={draft.key} draft={draft} again={() => sendText(draft.text, draft.key)} drop={drop} />
                ))}
              </div>
            </div>
            {isBehind && (
              <button type="button" class="newer" onClick={toEnd}>
                {texts.messages.newer}
              </button>
            )}
          </div>
          <Composer submit={sendText} />
        </>
      ) : (
        <p class="empty">{texts.messages.off}</p>
      )}
    </section>
  );
}

/** Messages of one user within a few minutes stand together. */
const follows = (before: Message | undefined, message: Message) =>
  before !== undefined &&
  String(before.userId) === String(message.userId) &&
  message.sentAt - before.sentAt < 3 * 60_000;

const Entry = memo(({ message, follows }: { message: Message; follows: boolean }) => {
  const { delete: remove } = useChat();
  const { self, isLeader } = useSelf();
  const attempt = useAttempt();
  const ask = useAsk();
  const language = useLanguage();
  const { messages } = language.texts;
  const { number, userId, userName, text, sentAt } = message;
  const isOwn = String(userId) === String(self?.userId);
  return (
    <article class="message-entry" data-own={isOwn || undefined} data-follows={follows || undefined}>
      <header class={follows ? 'hidden' : ''}>
        <bdi class="name">{userName}</bdi>
        <time dateTime={new Date(sentAt).toISOString()}>{language.time(sentAt)}</time>
      </header>
      <p dir="auto">{text}</p>
      {(isOwn || isLeader) && (
        <button
          type="button"
          class="quiet remove"
          aria-label={messages.remove(userName)}
          onClick={() =>
            ask({
              title: messages.deleteTitle,
              text: messages.deleteText,
              yes: messages.delete,
              act: () => attempt(remove(number)),
            })
          }
        >
          ×
        </button>
      )}
    </article>
  );
});

function DraftEntry({ draft, again, drop }: { draft: Draft; again: () => void; drop: (key: number) => void }) {
  const language = useLanguage();
  const { messages } = language.texts;
  const { key, text, error } = draft;
  const isUncertain = error instanceof RollcallError && error.isUncertain;
  return (
    <article class="message-entry draft" data-own>
      <p dir="auto">{text}</p>
      {error === undefined ? (
        <p class="fine">{messages.sending}</p>
      ) : (
        <p class="fine failed" role="alert">
          {isUncertain ? messages.uncertain : `${messages.failed} ${language.error(error)}`}{' '}
          <button type="button" class="link" onClick={again}>
            {messages.again}
          </button>{' '}
          <button type="button" class="link" onClick={() => drop(key)}>
            {messages.discard}
          </button>
        </p>
      )}
    </article>
  );
}

function useDrafts(send: ReturnType<typeof useChat>['send']) {
  const [drafts, setDrafts] = useState<Draft[]>([]);
  const lastKey = useRef(0);
  const drop = useCallback((key: number) => setDrafts((all) => all.filter((draft) => draft.key !== key)), []);
  const sendText = useCallback(
    (text: string, replaced?: number) => {
      lastKey.current += 1;
      const key = lastKey.current;
      setDrafts((all) => [...all.filter((draft) => draft.key !== replaced), { key, text, error: undefined }]);
      send(text).then(
        () => drop(key),
        (error: unknown) => setDrafts((all) => all.map((draft) => (draft.key === key ? { ...draft, error } : draft))),
      );
    },
    [send, drop],
  );
  return { drafts, sendText, drop };
}

/** Keeps the end of a growing list in sight, unless the user reads further up. */
function useFollowing(changes: unknown[]) {
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [isBehind, setBehind] = useState(false);
  const toEnd = useCallback(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, []);
  const onScroll = useCallback(() => {
    const { current } = list;
    if (!current) return;
    isAtEnd.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR_PX;
    if (isAtEnd.current) setBehind(false);
  }, []);
  useLayoutEffect(() => {
    if (isAtEnd.current) toEnd();
    else setBehind(true);
  }, changes);
  // The list has no height while another part of the page is shown, and less of it beside a keyboard.
  useEffect(() => {
    if (!list.current) return;
    const observer = new ResizeObserver(() => isAtEnd.current && toEnd());
    observer.observe(list.current);
    return () => observer.disconnect();
  }, [toEnd]);
  return { list, isBehind, onScroll, toEnd };
}
