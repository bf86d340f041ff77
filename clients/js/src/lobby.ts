// How many are in which rooms, for those who are in none of them.

import { type ConnectionStatus, Link, type LinkOptions } from './link.js';
import type { Ack, RoomCount, RoomCounts, RoomId } from './protocol.js';
import { shareList } from './share.js';
import { Store } from './store.js';

export interface LobbySnapshot {
  /** The rooms whose counts are known, in the order in which they are watched. */
  readonly rooms: readonly RoomCount[];
  readonly connection: ConnectionStatus;
}

/** Watches rooms over a connection of its own. */
export class Lobby {
  readonly #link: Link;
  readonly #store: Store<LobbySnapshot>;
  #ids: readonly RoomId[] = [];

  constructor(options: LinkOptions) {
    this.#link = new Link(options, {
      enter: () => ['lobby:watch', { ids: this.#ids }],
      entered: ({ ack }) => this.#listed((ack as Ack<RoomCounts> & { success: true }).data.rooms),
      event: (name, payload) => {
        if (name === 'lobby:changed') this.#counted((payload as RoomCounts).rooms);
      },
      lost: () => {},
      away: () => {},
      changed: (connection) => this.#set({ connection }),
    });
    this.#store = new Store<LobbySnapshot>({ rooms: [], connection: this.#link.status });
  }

  /** The same object until something changes. Bound, for `useSyncExternalStore`. */
  get getSnapshot(): () => LobbySnapshot {
    return this.#store.getSnapshot;
  }

  /** Calls the listener after each change. Returns a function that ends this. */
  get subscribe(): (listener: () => void) => () => void {
    return this.#store.subscribe;
  }

  /** Watches these rooms, up to 100, instead of those before. */
  watch(ids: readonly RoomId[]): void {
    this.#ids = [...ids];
    this.#listed(this.#store.getSnapshot().rooms);
    if (this.#link.status.state === 'closed') this.#link.open();
    else void this.#link.reenter();
  }

  /** Ends the watch. */
  close(): void {
    this.#link.close({ kind: 'closed' });
  }

  #counted(changed: readonly RoomCount[]): void {
    const rooms = new Map(this.#store.getSnapshot().rooms.map((room) => [room.id, room]));
    for (const room of changed) rooms.set(room.id, room);
    this.#listed([...rooms.values()]);
  }

  #listed(counts: readonly RoomCount[]): void {
    const known = new Map(counts.map((room) => [room.id, room]));
    const ordered = [...new Set(this.#ids)].map((id) => known.get(id)).filter((room) => room !== undefined);
    this.#set({ rooms: shareList(this.#store.getSnapshot().rooms, ordered, ({ id }) => id) });
  }

  #set(changes: Partial<LobbySnapshot>): void {
    const before = this.#store.getSnapshot();
    const next = { ...before, ...changes };
    if (next.rooms !== before.rooms || next.connection !== before.connection) this.#store.set(next);
  }
}

/** Watches these rooms. */
export function watchLobby({ ids, ...options }: LinkOptions & { ids: readonly RoomId[] }): Lobby {
  const lobby = new Lobby(options);
  lobby.watch(ids);
  return lobby;
}
