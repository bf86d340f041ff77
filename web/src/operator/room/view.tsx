// One room, as it happens.

import { RollcallError } from '@rollcall/server/errors.js';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { useLanguage } from '../language.js';
import { linkTo } from '../place.js';
import { usePolling } from '../polling.js';
import type { Rooms } from '../rooms/rooms.js';
import { useService } from '../service.js';
import { Staleness } from '../staleness.js';
import { Actions } from './actions.js';
import { ActivityPanel, type Happening } from './activity.js';
import { AttendancePanel } from './attendance.js';
import { type Change, compare } from './changes.js';
import { CodePanel } from './code.js';
import { DefinitionPanel } from './definition.js';
import { MembersPanel } from './members.js';
import { MessagesPanel } from './messages.js';
import { pauseAfter, type RoomNow, readRoom } from './read.js';
import { Summary } from './summary.js';
import { TimerPanel } from './timer.js';

const TABS = ['members', 'activity', 'messages', 'code', 'timer', 'attendance', 'definition'] as const;
type Tab = (typeof TABS)[number];

const MOST_HAPPENINGS = 200;

/** What a part of the room gets. */
export interface PartProps {
  id: string;
  /** Null while no session is live. */
  room: RoomNow | null;
  /** Changes with what happens in the room. */
  version: string;
  /** Looks at the room at once. */
  refresh: () => void;
}

export function RoomView({ id, rooms }: { id: string; rooms: Rooms }) {
  const { api } = useService();
  const language = useLanguage();
  const { texts } = language;
  const [tab, setTab] = useState<Tab>('members');
  const [happenings, setHappenings] = useState<Happening[]>([]);
  const lastId = useRef(0);
  const heading = useRef<HTMLHeadingElement>(null);
  const polled = usePolling<RoomNow | 'over'>(
    `room ${id}`,
    async (last, signal) => {
      const before = last === 'over' ? null : last;
      const now = await readRoom(api, id, before, signal).catch((error: unknown) => {
        if (error instanceof RollcallError && error.code === 'NOT_LIVE') return 'over' as const;
        throw error;
      });
      const changes: (Change | { kind: 'ended' })[] =
        now === 'over' ? (before ? [{ kind: 'ended' }] : []) : before && now !== before ? compare(before, now) : [];
      if (changes.length > 0) {
        const news = changes.map((change) => {
          lastId.current += 1;
          return { id: lastId.current, at: Date.now(), change };
        });
        setHappenings((all) => [...news.reverse(), ...all].slice(0, MOST_HAPPENINGS));
      }
      return now;
    },
    (now) => (now === 'over' ? 5000 : pauseAfter(now)),
  );
  useLayoutEffect(() => {
    document.title = `${id} · Rollcall`;
    heading.current?.focus();
  }, [id]);

  const room = polled.data === 'over' ? null : polled.data;
  const refresh = () => {
    polled.refresh();
    rooms.refresh();
  };
  const part: PartProps = {
    id,
    room,
    version: room ? `${room.epoch} ${room.seq}` : String(polled.data),
    refresh,
  };
  return (
    <article class="detail" id="main">
      <header class="detail-header">
        <a class="back" href={linkTo({ part: 'rooms' })}>
          {texts.room.back}
        </a>
        <h2 ref={heading} tabIndex={-1}>
          <bdi>{id}</bdi>
        </h2>
        <Actions {...part} />
      </header>
      <Staleness polled={polled} />
      {polled.data === null && polled.error === null && <p class="empty">{texts.loading}</p>}
      {polled.data === 'over' && (
        <p class="over" role="status">
          {texts.room.over}
        </p>
      )}
      {room && <Summary room={room} startedAt={rooms.all?.find((room) => String(room.id) === id)?.startedAt} />}
      {polled.data !== null && (
        <>
          <Tabs tab={tab} onChange={setTab} />
          <div class="tab-panel" role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`}>
            {tab === 'members' && <MembersPanel {...part} />}
            {tab === 'activity' && <ActivityPanel happenings={happenings} />}
            {tab === 'messages' && <MessagesPanel {...part} />}
            {tab === 'code' && <CodePanel {...part} />}
            {tab === 'timer' && <TimerPanel {...part} />}
            {tab === 'attendance' && <AttendancePanel {...part} />}
            {tab === 'definition' && <DefinitionPanel {...part} />}
          </div>
        </>
      )}
    </article>
  );
}

function Tabs({ tab, onChange }: { tab: Tab; onChange: (tab: Tab) => void }) {
  const { texts } = useLanguage();
  const move = (event: KeyboardEvent) => {
    const at = TABS.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = TABS[(to + TABS.length) % TABS.length] as Tab;
    onChange(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={texts.room.parts} onKeyDown={move}>
      {TABS.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={tab === name}
          aria-controls={tab === name ? `panel-${name}` : undefined}
          tabIndex={tab === name ? 0 : -1}
          onClick={() => onChange(name)}
        >
          {texts.room.tabs[name]}
        </button>
      ))}
    </div>
  );
}
