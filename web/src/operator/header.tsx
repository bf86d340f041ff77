// What is always in sight: totals, health, and what was done.

import { useState } from 'preact/hooks';

import { useDeeds } from './ask.js';
import type { Health } from './health/watch.js';
import { LanguageSwitch, useLanguage } from './language.js';
import { linkTo, type Place } from './place.js';
import type { Rooms } from './rooms/rooms.js';
import { useService } from './service.js';

interface Props {
  place: Place;
  rooms: Rooms;
  health: Health;
  onLeave: () => void;
}

export function Header({ place, rooms, health, onLeave }: Props) {
  const language = useLanguage();
  const { mayChange } = useService();
  const { header, rooms: words, health: health_ } = language.texts;
  return (
    <header class="header">
      <button type="button" class="skip" onClick={skip}>
        {header.skip}
      </button>
      <h1>
        <a href={linkTo({ part: 'rooms' })}>{header.title}</a>
      </h1>
      {!mayChange && (
        <p class="read-only" title={header.readOnlyHint}>
          {header.readOnly}
        </p>
      )}
      <p class="totals">
        {rooms.all && (
          <>
            <span>{words.count(rooms.all.length, language.number(rooms.all.length))}</span>
            <span>{words.members(rooms.members, language.number(rooms.members))}</span>
          </>
        )}
      </p>
      <a
        class="state-link"
        data-state={health.state}
        href={linkTo({ part: 'health' })}
        aria-current={place.part === 'health' ? 'page' : undefined}
      >
        <span class={`lamp ${health.state}`} aria-hidden="true" />
        {health_.title}: {health_.states[health.state]}
      </a>
      <Deeds />
      <LanguageSwitch />
      <button type="button" class="quiet" onClick={onLeave}>
        {header.leave}
      </button>
    </header>
  );
}

/** A link would change the fragment of the address, which names the room that is shown. */
function skip() {
  document.querySelector<HTMLElement>('.detail [tabindex="-1"], .rooms input')?.focus();
}

function Deeds() {
  const deeds = useDeeds();
  const language = useLanguage();
  const { header } = language.texts;
  const [isOpen, setOpen] = useState(false);
  if (deeds.length === 0) return null;
  return (
    <div class="deeds">
      <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {header.deeds(deeds.length, language.number(deeds.length))}
      </button>
      {isOpen && (
        <ol class="deed-list" aria-label={header.deedsTitle}>
          {deeds.map(({ at, text }) => (
            <li key={`${at} ${text}`}>
              <time dateTime={new Date(at).toISOString()}>{language.time(at)}</time>
              <span>{text}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
