// Keeps a connection: opens it, and another one after it.

import { Backoff } from './backoff.js';
import { isTemporary, RollcallError, TOKEN_CODES } from './errors.js';
import { after, cancel, type Timeout, watchPage } from './platform.js';
import type { Draining, ErrorCode, Expiring } from './protocol.js';
import { share } from './share.js';
import type { TokenReason, TokenSource } from './token.js';
import type { Transport, TransportEnd } from './transport.js';
import { type Answer, Wire, type WireOwner } from './wire.js';

/** Why nothing reconnects any more. */
export interface CloseReason {
  /**
   * - `left`: `leave` was called.
   * - `closed`: `close` was called.
   * - `ended`: the session is over.
   * - `replaced`: another connection of the user has taken the place.
   * - `removed`: an operator has removed the user, or the session no longer lists the user.
   * - `refused`: the server refuses the user. `code` says why.
   */
  readonly kind: 'left' | 'closed' | 'ended' | 'replaced' | 'removed' | 'refused';
  readonly code?: ErrorCode;
  readonly message?: string;
}

export interface ConnectionStatus {
  /**
   * - `closed`: not opened yet (then `reason` is null), or closed for good.
   * - `connecting`: for the first time since it was opened.
   * - `connected`: in the room.
   * - `reconnecting`: the connection is lost, and another one will take its place.
   */
  readonly state: 'closed' | 'connecting' | 'connected' | 'reconnecting';
  readonly reason: CloseReason | null;
  /** Whether the bridge is about to stop, and the client moves to another one. */
  readonly isDraining: boolean;
  /** Why the last attempt to connect failed. A code, where the server named one, and a text for people. */
  readonly error: { readonly code: string | null; readonly message: string } | null;
}

export const NOT_CONNECTED: ConnectionStatus = { state: 'closed', reason: null, isDraining: false, error: null };

export interface LinkOptions {
  transport: Transport;
  token: TokenSource;
}

/** Who uses the connection. */
export interface LinkOwner {
  /** The request with which each connection begins. */
  enter(): [event: string, payload: object];
  /** The request succeeded. `isNew`: over a new connection. */
  entered(answer: Answer, isNew: boolean): void;
  event(name: string, payload: unknown): void;
  /** The connection has ended, or another one takes its place. */
  lost(end: TransportEnd): void;
  /** The page goes away, perhaps to come back. */
  away(): void;
  changed(status: ConnectionStatus): void;
}

const OPEN_LIMIT_MS = 20_000;
const ACK_LIMIT_MS = 10_000;
const PING_LIMIT_MS = 10_000;
/** How long a connection may be silent before the client asks whether it still works. */
const SILENCE_MS = 25_000;
/** A connection that lasts for so long counts as a success. */
const STABLE_MS = 10_000;
/** How long before the end a draining connection is replaced. */
const MOVE_BEFORE_MS = 2000;
/** How long an entry that may have been made can be in the way of the next attempt. */
const UNKNOWN_ENTRY_MS = 120_000;
const STALE_ATTEMPT_MS = 3000;
/** How late a timer is in a computer that slept. */
const LATE_MS = 5000;

/** Events after which the server closes the connection for good. */
const FINAL: { [event: string]: CloseReason['kind'] } = {
  'room:ended': 'ended',
  'room:replaced': 'replaced',
  'room:removed': 'removed',
};

interface Attempt {
  since: number;
  wire?: Wire;
}

export class Link {
  status = NOT_CONNECTED;
  /** The token of the last attempt. */
  token = '';
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  readonly #backoff = new Backoff();
  /** The connection that is in use. */
  #wire: Wire | undefined;
  /** The attempt to get another one. */
  #attempt: Attempt | undefined;
  #isTokenRefused = false;
  #enteredAt = 0;
  /** Since when it is not known whether the server has made an entry for a connection that is gone. */
  #unknownSince: number | undefined;
  #timers: { retry?: Timeout; move?: Timeout; watch?: Timeout } = {};
  #unwatchPage = () => {};

  constructor(options: LinkOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  /** Connects, unless it is open. */
  open(): void {
    if (this.status.state !== 'closed') return;
    this.#backoff.reset();
    this.#unwatchPage = watchPage(
      () => this.#suspend(),
      () => this.wake(),
    );
    this.#set({ ...NOT_CONNECTED, state: 'connecting' });
    this.#connect();
  }

  /** Closes for good. */
  close(reason: CloseReason): void {
    if (this.status.state === 'closed') return;
    this.#abandon();
    this.#unwatchPage();
    this.#drop({});
    this.#set({ ...this.status, state: 'closed', reason, isDraining: false });
  }

  /** Sends a request over the connection in use. Resolves to nothing without a connection, or if no ack comes in time. */
  async request(event: string, payload: object, limitMs = ACK_LIMIT_MS): Promise<Answer | undefined> {
    const wire = this.#wire;
    const answer = await wire?.request(event, payload, limitMs);
    if (wire && !answer) void this.#ping(wire);
    return answer;
  }

  /** The last request of the connection in use, or of the one that is about to be, if it is open. */
  async sendLast(event: string, payload: object, limitMs: number): Promise<void> {
    const wire = this.#wire ?? this.#attempt?.wire;
    if (wire?.isOpen) await wire.request(event, payload, limitMs);
  }

  /** Enters again over the same connection, to learn the state anew. */
  async reenter(): Promise<void> {
    const wire = this.#wire;
    if (!wire) return;
    const answer = await this.#enter(wire);
    if (wire !== this.#wire) return;
    if (answer) this.#owner.entered(answer, false);
    else this.#ended(wire, wire.end ?? {});
  }

  /** The server may have an entry of an earlier load of the page. */
  mayHaveEntry(): void {
    this.#unknownSince ??= Date.now();
  }

  /** Something may have happened that timers and connections did not notice: finds out now. */
  wake(): void {
    // An attempt that began without a network would wait for long.
    if (this.#attempt && Date.now() - this.#attempt.since > STALE_ATTEMPT_MS) {
      this.#abandon();
      this.#connect();
    } else if (this.#timers.retry) {
      this.#backoff.reset();
      this.#connect();
    } else if (this.#wire) void this.#ping(this.#wire);
  }

  #connect(reason: TokenReason = 'connect'): void {
    cancel(this.#timers.retry);
    delete this.#timers.retry;
    if (!this.#attempt) void this.#try(reason);
  }

  async #try(reason: TokenReason): Promise<void> {
    const attempt: Attempt = { since: Date.now() };
    this.#attempt = attempt;
    const isOver = () => this.#attempt !== attempt;
    let token: string;
    try {
      token = await this.#options.token(reason);
    } catch (error) {
      if (!isOver()) this.#failed({ message: String(error) });
      return;
    }
    if (isOver()) return;
    this.token = token;
    const held: [name: string, payload: unknown][] = [];
    let wire: Wire;
    const owner: WireOwner = {
      event: (name, payload) => {
        if (wire === this.#wire || name === 'server:draining' || name === 'auth:expiring')
          this.#event(wire, name, payload);
        // The ack of the entry comes first.
        else held.push([name, payload]);
      },
      closed: (end) => {
        if (wire === this.#wire) this.#ended(wire, end);
      },
    };
    try {
      wire = new Wire(this.#options.transport, token, owner);
    } catch (error) {
      // The address or the token has characters that no connection can have.
      return this.#failed({ message: String(error) });
    }
    attempt.wire = wire;
    const limit = after(OPEN_LIMIT_MS, () => wire.drop());
    await wire.ready;
    cancel(limit);
    const answer = await this.#enter(wire);
    if (isOver()) return wire.close();
    if (!answer || wire.end) return this.#failed(wire.end ?? {});
    this.#use(wire, answer);
    for (const [name, payload] of held) if (wire === this.#wire) this.#event(wire, name, payload);
  }

  /** Enters. Resolves to nothing if the connection has ended, with the reason as its end. */
  async #enter(wire: Wire): Promise<Answer | undefined> {
    const backoff = new Backoff();
    while (!wire.end) {
      const answer = await wire.request(...this.#owner.enter(), ACK_LIMIT_MS);
      if (!answer) {
        this.#unknownSince ??= Date.now();
        wire.drop();
        return undefined;
      }
      if (answer.ack.success) return answer;
      const { code, message } = answer.ack;
      if (!isTemporary(code)) {
        wire.close();
        wire.end = { code, message };
        return undefined;
      }
      this.#set({ ...this.status, error: { code, message } });
      await new Promise<void>((resolve) => after(backoff.next(code), resolve));
    }
    return undefined;
  }

  /** From now on, this connection is in use. */
  #use(wire: Wire, answer: Answer): void {
    this.#attempt = undefined;
    this.#drop({});
    this.#wire = wire;
    this.#isTokenRefused = false;
    this.#unknownSince = undefined;
    this.#enteredAt = Date.now();
    this.#watch(wire);
    this.#owner.entered(answer, true);
    // The owner may have closed it.
    if (wire === this.#wire) this.#set({ state: 'connected', reason: null, isDraining: false, error: null });
  }

  #failed(end: TransportEnd): void {
    this.#attempt = undefined;
    const { code, message = '' } = end;
    const state = this.#wire || this.status.state === 'connecting' ? this.status.state : 'reconnecting';
    this.#set({ ...this.status, state, error: { code: code ?? null, message } });
    if (code && TOKEN_CODES.has(code) && !this.#isTokenRefused) {
      this.#isTokenRefused = true;
      this.#connect('refused');
    } else if (!code || isTemporary(code) || code === 'PAYLOAD_TOO_LARGE' || this.#isOwnEntry(code)) this.#again(end);
    else this.#closeFor(end);
  }

  /** Whether it may be an earlier attempt's own entry that is in the way. */
  #isOwnEntry(code: string): boolean {
    return code === 'ALREADY_JOINED' && Date.now() - (this.#unknownSince ?? 0) < UNKNOWN_ENTRY_MS;
  }

  #closeFor({ code = '', message = '' }: TransportEnd): void {
    const kind = FINAL[code];
    this.close(kind ? { kind } : { kind: 'refused', code: code as ErrorCode, message });
  }

  #again({ code, retryAfterMs }: TransportEnd): void {
    if (this.status.state === 'closed') return;
    cancel(this.#timers.retry);
    this.#timers.retry = after(this.#backoff.next(code, retryAfterMs), () => this.#connect());
  }

  /** The connection in use has ended. */
  #ended(wire: Wire, end: TransportEnd): void {
    if (wire !== this.#wire) return;
    if (Date.now() - this.#enteredAt > STABLE_MS) this.#backoff.reset();
    this.#drop(end);
    if (end.code && FINAL[end.code] && !this.#isOwnDoing(end.code)) return void this.#closeFor(end);
    // A move that is under way is no interruption.
    if (!this.#attempt) this.#failed(end.code && FINAL[end.code] ? {} : end);
  }

  /** Whether an attempt to move, on its way or lost without an ack, has itself taken the place of the one in use. */
  #isOwnDoing(event: string): boolean {
    return event === 'room:replaced' && (this.#attempt !== undefined || this.#unknownSince !== undefined);
  }

  /** The connection in use is used no more. */
  #drop(end: TransportEnd): void {
    const wire = this.#wire;
    if (!wire) return;
    this.#wire = undefined;
    cancel(this.#timers.watch);
    cancel(this.#timers.move);
    delete this.#timers.move;
    wire.close();
    this.#owner.lost(end);
  }

  /** Gives up what is about to happen. */
  #abandon(): void {
    cancel(this.#timers.retry);
    delete this.#timers.retry;
    const wire = this.#attempt?.wire;
    this.#attempt = undefined;
    if (wire && !wire.end) this.#unknownSince ??= Date.now();
    wire?.close();
  }

  /** The page goes away. The server learns at once that the connection is gone. */
  #suspend(): void {
    if (this.status.state === 'closed') return;
    this.#owner.away();
    this.#abandon();
    this.#drop({});
    this.#set({ ...this.status, state: 'reconnecting', isDraining: false });
    // Runs only if the page comes back.
    this.#again({});
  }

  #event(wire: Wire, name: string, payload: unknown): void {
    if (name === 'server:draining') this.#drain(wire, payload as Draining);
    if (name === 'auth:expiring') void this.#refresh(wire, payload as Expiring);
    if (!this.#isOwnDoing(name)) this.#owner.event(name, payload);
    if (FINAL[name]) this.#ended(wire, { code: name });
  }

  /** Moves to another bridge before this one closes the connection, each client at another time. */
  #drain(wire: Wire, { delayMs }: Draining): void {
    if (wire !== this.#wire) return;
    this.#set({ ...this.status, isDraining: true });
    cancel(this.#timers.move);
    this.#timers.move = after(delayMs - Math.min(delayMs / 2, MOVE_BEFORE_MS), () => this.#connect());
  }

  async #refresh(wire: Wire, { remainMs }: Expiring): Promise<void> {
    const end = Date.now() + remainMs;
    const backoff = new Backoff();
    let reason: TokenReason = 'expiring';
    while (!wire.end && Date.now() < end) {
      try {
        const token = await this.#options.token(reason);
        const answer = await wire.request('auth:refresh', { token }, ACK_LIMIT_MS);
        if (answer?.ack.success) {
          this.token = token;
          return;
        }
        if (answer && !answer.ack.success) {
          const { code, message } = answer.ack;
          if (!isTemporary(code) && !TOKEN_CODES.has(code)) return this.#ended(wire, { code, message });
          if (TOKEN_CODES.has(code)) reason = 'refused';
        }
      } catch {
        // The token could not be fetched. There is time to try again.
      }
      await new Promise<void>((resolve) => after(backoff.next(), resolve));
    }
  }

  /** Asks whether a connection still works when it has been silent, and after a sleep of the computer. */
  #watch(wire: Wire): void {
    const dueAt = wire.heardAt + SILENCE_MS;
    this.#timers.watch = after(dueAt - Date.now(), async () => {
      if (Date.now() >= Math.min(wire.heardAt + SILENCE_MS, dueAt + LATE_MS)) await this.#ping(wire);
      if (wire === this.#wire) this.#watch(wire);
    });
  }

  async #ping(wire: Wire): Promise<void> {
    const sentAt = Date.now();
    await wire.request('server:ping', {}, PING_LIMIT_MS);
    if (wire === this.#wire && wire.heardAt < sentAt) wire.drop();
  }

  #set(status: ConnectionStatus): void {
    const next = share(this.status, status);
    if (next === this.status) return;
    this.status = next;
    this.#owner.changed(next);
  }
}

/** The error of what cannot happen because the connection is closed. */
export function closedError({ reason }: ConnectionStatus): RollcallError {
  if (reason?.kind === 'refused' && reason.code) return new RollcallError(reason.code, reason.message ?? '');
  return new RollcallError('CLOSED', reason ? `The room is closed: ${reason.kind}.` : 'The room is not open.');
}
