// The room in a few numbers.

import { useEffect, useState } from 'preact/hooks';

import { useLanguage } from '../language.js';
import { nameOf } from './changes.js';
import type { RoomNow } from './read.js';

const TICK_MS = 5000;

export function Summary({ room, startedAt }: { room: RoomNow; startedAt: number | undefined }) {
  const language = useLanguage();
  const { summary } = language.texts;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const { members, endAt, hostId, leaderId, clockOffsetMs } = room;
  const lost = members.filter(({ state }) => state === 'reconnecting').length;
  const remainingMs = endAt - (now + clockOffsetMs);
  const facts: [string, string, (string | undefined)?][] = [
    [summary.members, language.number(members.length)],
    [summary.lost, language.number(lost), lost > 0 ? 'attention' : undefined],
    [summary.end, language.moment(endAt)],
    [summary.remaining, remainingMs > 0 ? language.length(remainingMs) : summary.due],
    [summary.host, hostId === null ? summary.nobody : nameOf(members, hostId)],
    [summary.leader, leaderId === null ? summary.nobody : nameOf(members, leaderId)],
  ];
  if (startedAt !== undefined) facts.splice(2, 0, [summary.start, language.moment(startedAt)]);
  return (
    <dl class="summary">
      {facts.map(([name, value, state]) => (
        <div key={name} data-state={state}>
          <dt>{name}</dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
