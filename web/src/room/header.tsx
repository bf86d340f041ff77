// The name of the room, the connection, and the end of the session.

import { useConnection, useRoom, useSession } from '@rollcall/react';
import { useEffect, useState } from 'preact/hooks';

import { LanguageSwitch, useLanguage } from '../texts/language.js';

export function Header() {
  const { groupId } = useRoom();
  const { leave } = useConnection();
  const { session } = useLanguage().texts;
  return (
    <header class="header">
      <h1 dir="auto">{groupId}</h1>
      <Connection />
      <End />
      <LanguageSwitch />
      <button type="button" class="quiet leave" onClick={() => void leave()}>
        {session.leave}
      </button>
    </header>
  );
}

/** Has its place also while it says nothing, so that nothing jumps. */
function Connection() {
  const { state, isDraining } = useConnection();
  const { connection } = useLanguage().texts;
  const [wasAway, setWasAway] = useState(false);
  useEffect(() => {
    if (state === 'reconnecting') setWasAway(true);
  }, [state]);
  const isAway = state === 'reconnecting';
  const text = isAway ? connection.reconnecting : wasAway ? connection.back : '';
  return (
    <p class="connection" data-state={isAway ? 'away' : wasAway ? 'back' : 'here'} role="status">
      <span>{isDraining && !isAway ? connection.draining : text}</span>
    </p>
  );
}

const MINUTE_MS = 60_000;

function End() {
  const { session, remainingMs, isReminded } = useSession(MINUTE_MS);
  const language = useLanguage();
  const { texts } = language;
  if (!session || remainingMs === null) return null;
  const { endAt } = session;
  return (
    <p class="end" data-soon={isReminded || undefined} title={texts.session.endsAt(language.time(endAt))}>
      {isReminded || remainingMs <= 10 * MINUTE_MS
        ? texts.session.endsIn(language.length(remainingMs))
        : texts.session.endsAt(language.time(endAt))}
    </p>
  );
}
