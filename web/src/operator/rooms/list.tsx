// The live rooms, with search.

import type { LiveRoom } from '@rollcall/server/generated.js';
import { useMemo, useState } from 'preact/hooks';

import { useLanguage } from '../language.js';
import { linkTo } from '../place.js';
import { Staleness } from '../staleness.js';
import { WindowedList } from '../windowed.js';
import { ORDERS, type Order, select } from './order.js';
import type { Rooms } from './rooms.js';

const ROW_HEIGHT = 60;

export function RoomList({ rooms, openId }: { rooms: Rooms; openId: string | null }) {
  const language = useLanguage();
  const { texts } = language;
  const [search, setSearch] = useState('');
  const [order, setOrder] = useState<Order>('members');
  const { all } = rooms;
  const shown = useMemo(() => select(all ?? [], search, order), [all, search, order]);
  const wanted = search.trim();
  const isFound = all?.some(({ id }) => String(id) === wanted);
  return (
    <section class="rooms" aria-labelledby="rooms-title">
      <h2 id="rooms-title">{texts.rooms.title}</h2>
      <search class="rooms-tools">
        <input
          type="search"
          aria-label={texts.rooms.search}
          placeholder={texts.rooms.search}
          value={search}
          dir="auto"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
        <select
          aria-label={texts.rooms.order}
          value={order}
          onChange={({ currentTarget }) => setOrder(currentTarget.value as Order)}
        >
          {ORDERS.map((name) => (
            <option key={name} value={name}>
              {texts.rooms.orders[name]}
            </option>
          ))}
        </select>
      </search>
      <Staleness polled={rooms} />
      <p class="fine" role="status">
        {all && wanted && texts.rooms.found(shown.length, language.number(shown.length))}
      </p>
      {wanted && all && !isFound && (
        <a class="open-other" href={linkTo({ part: 'room', id: wanted })}>
          {texts.rooms.openBefore}
          <bdi>{wanted}</bdi>
          {texts.rooms.openAfter}
        </a>
      )}
      {all === null && rooms.error === null && <p class="empty">{texts.loading}</p>}
      {all?.length === 0 && <p class="empty">{texts.rooms.none}</p>}
      {shown.length > 0 && (
        <WindowedList items={shown} keyOf={({ id }) => String(id)} rowHeight={ROW_HEIGHT} label={texts.rooms.title}>
          {(room) => <Row room={room} isOpen={String(room.id) === openId} />}
        </WindowedList>
      )}
    </section>
  );
}

function Row({ room: { id, count, startedAt, endAt }, isOpen }: { room: LiveRoom; isOpen: boolean }) {
  const language = useLanguage();
  const { rooms } = language.texts;
  return (
    <a class="room-row" href={linkTo({ part: 'room', id: String(id) })} aria-current={isOpen ? 'true' : undefined}>
      <bdi class="name">{String(id)}</bdi>
      <span class="number">{rooms.members(count, language.number(count))}</span>
      <span class="fine">{rooms.times(language.moment(startedAt), language.moment(endAt))}</span>
    </a>
  );
}
