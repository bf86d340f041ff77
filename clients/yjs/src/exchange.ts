// The exchange of updates with the server, from one `connect` to the end of its connection.

import * as Y from 'yjs';

import { fromBase64, toBase64 } from './base64.js';
import type { Refusal } from './channel.js';
import { MUTED, NO_ACK, NOT_IN_ROOM, RETRYABLE, UPDATE_TOO_LARGE } from './codes.js';
import { Edits } from './edits.js';
import { Outbox } from './outbox.js';
import { Backoff, Pace, type Session } from './session.js';
import { missingFrom } from './updates.js';

const UPDATE_EVERY_MS = 200;

/** How long an update may be late before it counts as lost. */
const GAP_LIMIT_MS = 1000;

/** A bridge that was cut off from the app enters the room again by itself within this many attempts. */
const ATTEMPTS_OUTSIDE = 6;

/** Learns how the exchange gets on. */
export interface Observer {
  opened(): void;
  /** Whether the user may write nothing at the moment, and has changes that wait. */
  muted(isMuted: boolean): void;
  synced(isSynced: boolean): void;
  saved(isSaved: boolean): void;
  /** The connection is not in the room. */
  outside(): void;
  failed(error: { code: string; message: string }): void;
}

/** Opens a document and sends its changes, one request after the other. */
export class Exchange {
  readonly #session: Session;
  readonly #doc: Y.Doc;
  readonly #number: number;
  /** The origin of remote transactions. */
  readonly #origin: unknown;
  readonly #observer: Observer;
  readonly #outbox = new Outbox();
  readonly #edits = new Edits();
  readonly #pace = new Pace(UPDATE_EVERY_MS);
  readonly #backoff = new Backoff();
  /** Whether updates of others may have been missed. */
  #mustOpen = true;
  #watchesGap = false;
  /** How often Rollcall has said since the document was opened that the connection is not in the room. */
  #refusalsOutside = 0;

  constructor(session: Session, doc: Y.Doc, number: number, origin: unknown, observer: Observer) {
    this.#session = session;
    this.#doc = doc;
    this.#number = number;
    this.#origin = origin;
    this.#observer = observer;
  }

  /** Runs until the session ends. */
  async run(): Promise<void> {
    while (!this.#session.isOver) {
      if (this.#mustOpen) await this.#open();
      else if (this.#outbox.isEmpty) await this.#session.wait(undefined, 'changes');
      else await this.#write();
    }
  }

  /** Sends a local update. */
  send(update: Uint8Array): void {
    this.#outbox.add(update);
    this.#session.notify('changes');
  }

  /** Applies an update of others. */
  receive(edit: number, update: Uint8Array): void {
    const isOld = this.#edits.has(edit);
    const isNews = this.#apply(update);
    // An old number with news: the server has lost updates, and counts from an earlier one.
    if (isOld && isNews) this.reopen();
    else this.#arrived(edit);
  }

  /** Opens the document again as soon as the request under way has ended. */
  reopen(): void {
    this.#mustOpen = true;
    this.#session.notify('changes');
    // Updates of others matter while the user is muted.
    this.#session.notify('unmuted');
  }

  async #open(): Promise<void> {
    this.#mustOpen = false;
    this.#edits.begin();
    this.#observer.synced(false);
    const ack = await this.#session.request('document:open', { number: this.#number });
    if (this.#session.isOver) return;
    if (!ack.success) {
      this.#mustOpen = true;
      return this.#refused(ack);
    }
    this.#succeeded();
    const { document, edit } = ack.data as { document: string; edit: number };
    const state = fromBase64(document);
    this.#apply(state);
    this.#edits.opened(edit);
    this.#watchGap();
    // This includes all that was in the outbox.
    this.#outbox.reset(missingFrom(state, this.#doc));
    this.#observer.opened();
    this.#observer.synced(true);
    this.#sent();
  }

  async #write(): Promise<void> {
    const { delay } = this.#pace;
    if (delay > 0) return this.#session.wait(delay);
    const update = this.#outbox.take(this.#doc);
    if (!update) {
      return this.#observer.failed({ code: UPDATE_TOO_LARGE, message: 'A change is too large for one message.' });
    }
    this.#pace.passed();
    const payload = { number: this.#number, update: toBase64(update) };
    const ack = await this.#session.request('document:update', payload);
    if (this.#session.isOver) return;
    if (!ack.success) {
      this.#outbox.putBack(update);
      return this.#refused(ack);
    }
    this.#succeeded();
    this.#observer.muted(false);
    this.#arrived((ack.data as { edit: number }).edit);
    this.#sent();
  }

  #succeeded(): void {
    this.#refusalsOutside = 0;
    this.#backoff.reset();
  }

  /** The server has what the document has, apart from the outbox. */
  #sent(): void {
    this.#observer.saved(this.#outbox.isEmpty);
    if (this.#outbox.isEmpty) this.#observer.muted(false);
  }

  /** Waits before the next attempt, or stops where another attempt cannot help. */
  async #refused(refusal: Refusal): Promise<void> {
    const { code } = refusal;
    if (code === NOT_IN_ROOM) {
      // A bridge that enters the room again does not know which documents were open.
      this.#mustOpen = true;
      this.#refusalsOutside += 1;
      if (this.#refusalsOutside >= ATTEMPTS_OUTSIDE) return this.#observer.outside();
    } else if (code === NO_ACK) {
      // Only the server knows whether it has applied the update.
      this.#mustOpen = true;
    } else if (!RETRYABLE.has(code)) {
      return this.#observer.failed(refusal);
    }
    if (code === MUTED) this.#observer.muted(true);
    await this.#session.wait(this.#backoff.next(), code === MUTED ? 'unmuted' : undefined);
  }

  /** Returns whether the update changed the document. */
  #apply(update: Uint8Array): boolean {
    let hasChanged = false;
    const notice = () => {
      hasChanged = true;
    };
    this.#doc.on('update', notice);
    try {
      Y.applyUpdate(this.#doc, update, this.#origin);
    } finally {
      this.#doc.off('update', notice);
    }
    return hasChanged;
  }

  #arrived(edit: number): void {
    this.#edits.add(edit);
    this.#watchGap();
  }

  /** Opens the document again if a gap between updates stays. */
  #watchGap(): void {
    if (!this.#edits.hasGap || this.#watchesGap) return;
    this.#watchesGap = true;
    void this.#session.wait(GAP_LIMIT_MS).then(() => {
      this.#watchesGap = false;
      if (this.#edits.hasGap) this.reopen();
    });
  }
}
