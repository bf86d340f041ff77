// Which rooms are shown, and in which order.

import type { LiveRoom } from '@rollcall/server/generated.js';

export const ORDERS = ['members', 'end', 'start', 'name'] as const;
export type Order = (typeof ORDERS)[number];

/** Digits in names count as numbers: room 9 comes before room 10. */
const names = new Intl.Collator(undefined, { numeric: true });
const byName = (a: LiveRoom, b: LiveRoom) => names.compare(String(a.id), String(b.id));

const BY: Record<Order, (a: LiveRoom, b: LiveRoom) => number> = {
  members: (a, b) => b.count - a.count || byName(a, b),
  end: (a, b) => a.endAt - b.endAt || byName(a, b),
  start: (a, b) => b.startedAt - a.startedAt || byName(a, b),
  name: byName,
};

/** What people type may be composed in another way than the id. */
const fold = (text: string) => text.normalize('NFKC').toLocaleLowerCase();

export function select(rooms: readonly LiveRoom[], search: string, order: Order): LiveRoom[] {
  const wanted = fold(search.trim());
  return rooms.filter(({ id }) => fold(String(id)).includes(wanted)).sort(BY[order]);
}
