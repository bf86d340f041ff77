// The room: its parts side by side, or one at a time where there is no space.

import { useChat, useMembers } from '@rollcall/react';
import { flushSync } from 'preact/compat';
import { useEffect, useRef, useState } from 'preact/hooks';

import { CodePanel } from '../code/panel.js';
import { useLanguage } from '../texts/language.js';
import { ChatPanel } from './chat.js';
import { AskProvider } from './dialog.js';
import { Header } from './header.js';
import { MembersPanel } from './members.js';
import { TimerPanel } from './timer.js';
import { ToastProvider } from './toasts.js';

const VIEWS = ['timer', 'people', 'chat', 'code'] as const;
type View = (typeof VIEWS)[number];

export function RoomPage() {
  const { texts } = useLanguage();
  const [view, setView] = useState<View>('timer');
  return (
    <ToastProvider>
      <AskProvider>
        <button
          type="button"
          class="skip"
          onClick={() => {
            flushSync(() => setView('chat'));
            document.getElementById('chat')?.focus();
          }}
        >
          {texts.skipToChat}
        </button>
        <div class="room" data-view={view}>
          <Header />
          <main class="parts">
            <div class="stage">
              <TimerPanel />
              <CodePanel />
            </div>
            <MembersPanel />
            <ChatPanel />
          </main>
          <Views view={view} choose={setView} />
        </div>
      </AskProvider>
    </ToastProvider>
  );
}

/** Only for narrow screens. */
function Views({ view, choose }: { view: View; choose: (view: View) => void }) {
  const { texts } = useLanguage();
  const { count } = useMembers();
  const unread = useUnread(view === 'chat');
  return (
    <nav class="views" aria-label={texts.views}>
      {VIEWS.map((name) => (
        <button key={name} type="button" aria-current={view === name ? 'page' : undefined} onClick={() => choose(name)}>
          {texts[name]}
          {name === 'people' && <span class="count"> {count}</span>}
          {name === 'chat' && unread > 0 && (
            <span class="badge">
              <span aria-hidden="true">{unread}</span>
              <span class="hidden">{texts.messages.unread(unread)}</span>
            </span>
          )}
        </button>
      ))}
    </nav>
  );
}

/** How many messages have come since the chat was last shown. */
function useUnread(isShown: boolean): number {
  const { messages, isCurrent } = useChat();
  const seen = useRef<number | null>(null);
  const last = messages.at(-1)?.number ?? 0;
  if (seen.current === null && isCurrent) seen.current = last;
  useEffect(() => {
    if (isShown) seen.current = last;
  }, [isShown, last]);
  const since = seen.current;
  return isShown || since === null ? 0 : messages.filter(({ number }) => number > since).length;
}
