// The states of the editors: cursors, names, colors.

import {
  type Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  modifyAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness';

import type { Ack } from './channel.js';
import { NO_ACK, RETRYABLE } from './codes.js';
import { Backoff, Pace, type Session } from './session.js';

const EVERY_MS = 400;

/** What y-protocols tells about a change. */
interface Changes {
  added: number[];
  updated: number[];
  removed: number[];
}

/** Sends an update. Its ack is absent if it cannot be sent. */
type Send = (update: Uint8Array) => Promise<Ack | undefined>;

/** Sends the local state, and knows which user has which remote state. */
export class Presence {
  readonly #awareness: Awareness;
  readonly #changed: () => void;
  readonly #pace = new Pace(EVERY_MS);
  /** Whether the local state has changed since it was sent. */
  #isDirty = false;
  /** Whether others may still show the local state of an earlier session. */
  #wasPresent = false;
  /** The clients of each user, by the text of the user's id. */
  readonly #clients = new Map<string, Set<number>>();

  /** `changed` is called when the local state has to be sent. */
  constructor(awareness: Awareness, changed: () => void) {
    this.#awareness = awareness;
    this.#changed = changed;
    awareness.on('update', this.#onUpdate);
  }

  destroy(): void {
    this.#awareness.off('update', this.#onUpdate);
  }

  /** Sends the local state whenever it has changed, until the session ends. */
  async exchange(session: Session, send: Send): Promise<void> {
    const backoff = new Backoff();
    // This session knows no state of others. They answer somebody who is new to them with theirs.
    if (this.#wasPresent) await send(this.removal);
    this.#wasPresent = true;
    this.#renew();
    while (!session.isOver) {
      if (!this.#isDirty) await session.wait(undefined, 'presence');
      else if (this.#pace.delay > 0) await session.wait(this.#pace.delay);
      else await this.#sendUpdate(session, send, backoff);
    }
  }

  async #sendUpdate(session: Session, send: Send, backoff: Backoff): Promise<void> {
    this.#isDirty = false;
    this.#pace.passed();
    const ack = await send(this.#update);
    if (!ack || ack.success) return backoff.reset();
    // Other refusals concern this state only, or the exchange of updates meets them, too.
    if (ack.code === NO_ACK || RETRYABLE.has(ack.code)) this.#isDirty = true;
    // A muted user is shown again at once when the user may write again.
    await session.wait(backoff.next(), 'unmuted');
  }

  /** An update by which others remove the local state. */
  get removal(): Uint8Array {
    return modifyAwarenessUpdate(this.#update, () => null);
  }

  /** Others have removed the local state. */
  removed(): void {
    this.#wasPresent = false;
  }

  get #update(): Uint8Array {
    return encodeAwarenessUpdate(this.#awareness, [this.#awareness.clientID]);
  }

  /** Sends the local state although it has not changed, because somebody does not know it. */
  #renew(): void {
    // Others ignore a state without a new clock. y-protocols gives each state that is set a new clock.
    const state = this.#awareness.getLocalState();
    if (state !== null) this.#awareness.setLocalState(state);
  }

  /** Applies a user's update. */
  receive(update: Uint8Array, userId: unknown): void {
    const known = new Set(this.#awareness.states.keys());
    const clients = this.#clients.get(String(userId)) ?? new Set();
    this.#clients.set(String(userId), clients);
    const remember = ({ added, updated }: Changes) => {
      for (const client of [...added, ...updated]) clients.add(client);
    };
    this.#awareness.on('update', remember);
    try {
      applyAwarenessUpdate(this.#awareness, update, this);
    } finally {
      this.#awareness.off('update', remember);
    }
    // The server keeps no states. Who has just come needs this one.
    if ([...this.#awareness.states.keys()].some((client) => !known.has(client))) this.#renew();
  }

  /** Removes the states of a user who has left. */
  removeUser(userId: unknown): void {
    this.#remove([...(this.#clients.get(String(userId)) ?? [])]);
    this.#clients.delete(String(userId));
  }

  /** Removes the states of all others. */
  removeOthers(): void {
    this.#remove([...this.#awareness.states.keys()]);
    this.#clients.clear();
  }

  #remove(clients: number[]): void {
    const others = clients.filter((client) => client !== this.#awareness.clientID);
    removeAwarenessStates(this.#awareness, others, this);
  }

  readonly #onUpdate = ({ added, updated, removed }: Changes, origin: unknown) => {
    // y-protocols defends the local state against a remote removal by a new clock, which others have to get.
    const isLocal = [...added, ...updated, ...removed].includes(this.#awareness.clientID);
    if (!isLocal || (origin === this && removed.length === 0)) return;
    this.#isDirty = true;
    this.#changed();
  };
}
