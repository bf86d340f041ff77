// The provider: keeps a Y.Doc and the document of a snippet the same.

import { Awareness, removeAwarenessStates } from 'y-protocols/awareness';
import type * as Y from 'yjs';

import { fromBase64, toBase64 } from './base64.js';
import type { Ack, Channel, Listener } from './channel.js';
import { AWARENESS_TOO_LARGE, NO_SUCH_SNIPPET, UNREADABLE } from './codes.js';
import { Emitter } from './emitter.js';
import { Exchange, type Observer } from './exchange.js';
import { Presence } from './presence.js';
import { Session } from './session.js';

/** The longest awareness update in a message, in bytes. */
const AWARENESS_LIMIT = 2048;

/** Changes by which members are gone. */
const GONE = ['left', 'graceExpired', 'removed'];

/**
 * - `disconnected`: `connect` has not been called since the connection ended, or since the user left the room.
 * - `connecting`: the document is being opened.
 * - `connected`: changes go in both directions.
 * - `muted`: the user may write nothing at the moment. Local changes wait, and those of others arrive.
 * - `failed`: the provider has stopped, and `error` says why.
 */
export type Status = 'disconnected' | 'connecting' | 'connected' | 'muted' | 'failed';

/** Why something failed: a code of Rollcall, or `UPDATE_TOO_LARGE`, `AWARENESS_TOO_LARGE` or `UNREADABLE`. */
export interface ProviderError {
  code: string;
  message: string;
}

export type ProviderEvents = {
  status: [{ status: Status }];
  /** Whether the document has what the server has. */
  synced: [boolean];
  /** Whether the server has what the document has. */
  saved: [boolean];
  error: [ProviderError];
};

export interface ProviderOptions {
  /** By default, the provider makes its own, and destroys it. */
  awareness?: Awareness;
}

export class RollcallProvider extends Emitter<ProviderEvents> {
  readonly doc: Y.Doc;
  readonly number: number;
  readonly awareness: Awareness;
  /** Why the provider has stopped, if it has. */
  error: ProviderError | undefined;
  #status: Status = 'disconnected';
  #isSynced = false;
  #isSaved = true;
  readonly #channel: Channel;
  readonly #ownsAwareness: boolean;
  readonly #presence: Presence;
  #session: Session | undefined;
  #exchange: Exchange | undefined;

  constructor(channel: Channel, number: number, doc: Y.Doc, { awareness }: ProviderOptions = {}) {
    super();
    this.#channel = channel;
    this.number = number;
    this.doc = doc;
    this.#ownsAwareness = awareness === undefined;
    this.awareness = awareness ?? new Awareness(doc);
    this.#presence = new Presence(this.awareness, () => this.#session?.notify('presence'));
    for (const [event, listener] of this.#listeners) channel.on(event, listener);
    doc.on('update', this.#onLocalUpdate);
    doc.on('destroy', this.#onDestroyed);
    globalThis.addEventListener?.('pagehide', this.#onPageHide);
  }

  get status(): Status {
    return this.#status;
  }

  /** Whether the document has what the server has. */
  get synced(): boolean {
    return this.#isSynced;
  }

  /** Whether the server has what the document has: it has acknowledged all local changes. */
  get saved(): boolean {
    return this.#isSaved;
  }

  /** Opens the document. To be called after each successful join of the room. */
  connect(): void {
    this.#endSession();
    this.error = undefined;
    this.#setStatus('connecting');
    const session = new Session(this.#channel);
    this.#session = session;
    this.#exchange = new Exchange(session, this.doc, this.number, this, this.#observe(session));
    this.#supervise(session, this.#exchange.run());
  }

  /** Closes the document. To be called before the user leaves the room. */
  disconnect(): void {
    if (this.#session) {
      this.#sendLast('document:awareness', { update: toBase64(this.#presence.removal) });
      this.#sendLast('document:close', {});
      this.#presence.removed();
    }
    this.#stop('disconnected');
  }

  /** Disconnects for good. */
  destroy(): void {
    this.disconnect();
    for (const [event, listener] of this.#listeners) this.#channel.off(event, listener);
    this.doc.off('update', this.#onLocalUpdate);
    this.doc.off('destroy', this.#onDestroyed);
    globalThis.removeEventListener?.('pagehide', this.#onPageHide);
    this.#presence.destroy();
    removeAwarenessStates(this.awareness, [this.awareness.clientID], this);
    if (this.#ownsAwareness) this.awareness.destroy();
  }

  #observe(session: Session): Observer {
    // A listener of the application may disconnect in the middle of a report.
    const inSession =
      <Arguments extends unknown[]>(act: (...args: Arguments) => void) =>
      (...args: Arguments) => {
        if (!session.isOver) act(...args);
      };
    return {
      opened: inSession(() => this.#opened(session)),
      muted: inSession((isMuted: boolean) => this.#setStatus(isMuted ? 'muted' : 'connected')),
      synced: inSession((isSynced: boolean) => this.#setSynced(isSynced)),
      saved: inSession((isSaved: boolean) => this.#setSaved(isSaved)),
      outside: inSession(() => this.#stop('disconnected')),
      failed: inSession((error: ProviderError) => this.#fail(error)),
    };
  }

  #opened(session: Session): void {
    if (this.#status !== 'connecting') return;
    this.#showPresence(session);
    this.#setStatus('connected');
  }

  #showPresence(session: Session): void {
    const send = (update: Uint8Array) => this.#sendAwareness(session, update);
    this.#supervise(session, this.#presence.exchange(session, send));
  }

  #supervise(session: Session, work: Promise<void>): void {
    work.catch((error) => {
      if (!session.isOver) this.#failBecause(error);
    });
  }

  async #sendAwareness(session: Session, update: Uint8Array): Promise<Ack | undefined> {
    if (update.length <= AWARENESS_LIMIT) {
      return await session.request('document:awareness', { number: this.number, update: toBase64(update) });
    }
    const message = `The awareness state has ${update.length} bytes, and may have ${AWARENESS_LIMIT}.`;
    this.emit('error', { code: AWARENESS_TOO_LARGE, message });
    return undefined;
  }

  /** Sends a request whose ack does not matter any more. */
  #sendLast(event: string, payload: object): void {
    this.#channel.request(event, { number: this.number, ...payload }).catch(() => {});
  }

  readonly #onLocalUpdate = (update: Uint8Array, origin: unknown) => {
    if (origin === this) return;
    this.#setSaved(false);
    // Without a connection, the next `document:open` finds out what the server lacks.
    this.#exchange?.send(update);
  };

  readonly #onDestroyed = () => this.destroy();

  readonly #onPageHide = () => {
    if (this.#session) this.#sendLast('document:awareness', { update: toBase64(this.#presence.removal) });
  };

  readonly #onAwareness = ({ update, userId }: { update: string; userId: unknown }) => {
    try {
      this.#presence.receive(fromBase64(update), userId);
    } catch {
      // Another client made the update. An unreadable one shows no cursor, and harms nothing else.
    }
  };

  #onClosed(): void {
    // A connection has few documents open at once, and one that is gone counts until it is closed.
    this.#sendLast('document:close', {});
    this.#fail({ code: NO_SUCH_SNIPPET, message: 'The snippet is closed.' });
  }

  readonly #onMembers = ({ change }: { change: { type: string; users: { userId: unknown }[] } }) => {
    if (!GONE.includes(change.type)) return;
    for (const { userId } of change.users) this.#presence.removeUser(userId);
  };

  /** Passes on the events of this document while it is open or being opened. */
  #forDocument(handle: Listener): Listener {
    return (payload: { number: number }) => {
      if (!this.#session || payload.number !== this.number) return;
      try {
        handle(payload);
      } catch (error) {
        this.#failBecause(error);
      }
    };
  }

  readonly #listeners: [event: string, listener: Listener][] = [
    ['document:updated', this.#forDocument(({ edit, update }) => this.#exchange?.receive(edit, fromBase64(update)))],
    ['document:awareness', this.#forDocument(this.#onAwareness)],
    ['document:missed', this.#forDocument(() => this.#exchange?.reopen())],
    ['code:closed', this.#forDocument(() => this.#onClosed())],
    ['room:participantsChanged', this.#onMembers],
    ['room:unmuted', () => this.#session?.notify('unmuted')],
    ['disconnect', () => this.#stop('disconnected')],
  ];

  #failBecause(error: unknown): void {
    this.#fail({ code: UNREADABLE, message: String(error) });
  }

  #fail({ code, message }: ProviderError): void {
    this.error = { code, message };
    this.#stop('failed');
    this.emit('error', this.error);
  }

  #stop(status: Status): void {
    // What a failure has stopped stays so until the next `connect`.
    if (!this.#session) return;
    this.#endSession();
    this.#setSynced(false);
    this.#setStatus(status);
    this.#presence.removeOthers();
  }

  #endSession(): void {
    this.#session?.end();
    this.#session = undefined;
    this.#exchange = undefined;
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.emit('status', { status });
  }

  #setSynced(isSynced: boolean): void {
    if (isSynced === this.#isSynced) return;
    this.#isSynced = isSynced;
    this.emit('synced', isSynced);
  }

  #setSaved(isSaved: boolean): void {
    if (isSaved === this.#isSaved) return;
    this.#isSaved = isSaved;
    this.emit('saved', isSaved);
  }
}
