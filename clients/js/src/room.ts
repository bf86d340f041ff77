// A room: what an application calls and learns.

import { Backoff } from './backoff.js';
import type { Chat } from './chat.js';
import { type Clock, ClockEstimate, serverNow } from './clock.js';
import { Emitter } from './emitter.js';
import type { RollcallError } from './errors.js';
import { KeptEntry, type StorageSource } from './kept-entry.js';
import { type CloseReason, type ConnectionStatus, closedError, Link, type LinkOptions } from './link.js';
import { RoomModel, type RoomView } from './model.js';
import { Outbox } from './outbox.js';
import { after, cancel, type Timeout } from './platform.js';
import type {
  Ack,
  ChatAck,
  CodeAck,
  Editors,
  History,
  JoinAck,
  Member,
  Message,
  RoomId,
  ServerEvents,
  Snippet,
  SnippetContent,
  Snippets,
  SnippetUpdate,
  StatusAck,
  StatusUpdate,
  Timer,
  TimerAck,
  TimerPlan,
  UserId,
} from './protocol.js';
import { Store } from './store.js';
import { entryOf } from './token.js';
import type { TransportEnd } from './transport.js';
import type { Answer } from './wire.js';

/** A part that a session or a deployment can do without. */
export type Feature = 'timer' | 'status' | 'chat' | 'code';

export interface RoomOptions extends LinkOptions {
  groupId: RoomId;
  /** Where a page keeps its entry while it is reloaded: `() => sessionStorage`. Nowhere by default. */
  storage?: StorageSource;
}

/** Everything that is known about the room. Parts that have not changed stay the same object, so `===` tells. */
export interface RoomSnapshot extends RoomView {
  readonly connection: ConnectionStatus;
  readonly clock: Clock;
  /** What the room does without, as far as the server has said. */
  readonly off: readonly Feature[];
}

export interface RoomEvents extends ServerEvents {
  /** The user has entered, for the first time or over another connection. */
  joined: JoinAck;
  /** The connection has ended, or another one takes its place. */
  disconnect: { message: string };
  /** Nothing reconnects any more. */
  closed: CloseReason;
}

/** What `@rollcall/yjs` takes. Nothing is queued: a request rejects without a connection, and when its connection ends. */
export interface Channel {
  request(event: string, payload: object): Promise<ChannelAck>;
  // biome-ignore lint/suspicious/noExplicitAny: each event has a payload of its own.
  on(event: string, listener: (payload: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: each event has a payload of its own.
  off(event: string, listener: (payload: any) => void): unknown;
}

export type ChannelAck = Ack<Record<string, unknown>>;

const LEAVE_LIMIT_MS = 5000;
/** How long after a gap the bridge sends the state, usually. */
const STATE_LIMIT_MS = 3000;

/** Which feature a command belongs to. */
const FEATURES: { [kind: string]: Feature } = { timer: 'timer', member: 'status', chat: 'chat', code: 'code' };

export class Room {
  readonly groupId: RoomId;
  readonly #events = new Emitter<RoomEvents>();
  readonly #clock = new ClockEstimate();
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #model: RoomModel;
  readonly #store: Store<RoomSnapshot>;
  #off: readonly Feature[] = [];
  /** What the server has said to be off over this connection. */
  readonly #offHere = new Set<Feature>();
  #self: Member | null = null;
  /** The token of `#self`. */
  #selfToken = '';
  #resumeToken: string | undefined;
  readonly #kept: KeptEntry;
  #joining: { promise: Promise<JoinAck>; resolve(ack: JoinAck): void; reject(error: RollcallError): void } | undefined;
  #lastJoin: JoinAck | undefined;
  #leaving: Promise<void> | undefined;
  /** What is being read over the connection. */
  readonly #reading = new Set<'chat' | 'code'>();
  #stateLimit: Timeout | undefined;
  #older: Promise<Chat> | undefined;
  /** Another object for each connection. None while there is none. */
  #connection: object | undefined;

  constructor(options: RoomOptions) {
    this.groupId = options.groupId;
    this.#kept = new KeptEntry(options.storage, `rollcall.entry.${options.groupId}`);
    this.#link = new Link(options, {
      enter: () => ['room:join', this.#joinRequest()],
      entered: (answer, isNew) => this.#entered(answer, isNew),
      event: (name, payload) => this.#received(name as keyof ServerEvents, payload as ServerEvents[keyof ServerEvents]),
      lost: (end) => this.#lost(end),
      away: () => this.#kept.keep(this.#user()?.userId, this.#resumeToken),
      changed: (status) => this.#changed(status),
    });
    this.#outbox = new Outbox({
      send: (event, payload) => this.#link.request(event, payload),
      answered: (answer) => this.#heard(answer),
      outside: () => void this.#link.reenter(),
    });
    this.#model = new RoomModel(
      () => this.#user(),
      () => this.#serverNow(),
    );
    this.#store = new Store(this.#snapshot());
  }

  /** The same object until something changes. Bound, for `useSyncExternalStore`. */
  get getSnapshot(): () => RoomSnapshot {
    return this.#store.getSnapshot;
  }

  /** Calls the listener after each change. Returns a function that ends this. */
  get subscribe(): (listener: () => void) => () => void {
    return this.#store.subscribe;
  }

  /** Listens to an event of the server or of the client. Returns a function that ends this. */
  on<Name extends keyof RoomEvents>(name: Name, listener: (payload: RoomEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  off<Name extends keyof RoomEvents>(name: Name, listener: (payload: RoomEvents[Name]) => void): void {
    this.#events.off(name, listener);
  }

  /**
   * Enters the room, and stays in it until `leave` or `close` or until the server closes it for good. Resolves at the first
   * entry. Rejects when the room is closed before.
   */
  join(): Promise<JoinAck> {
    const promise = this.#leaving ? this.#leaving.then(() => this.join()) : this.#join();
    // Whoever does not await the promise reads the snapshot.
    promise.catch(() => {});
    return promise;
  }

  #join(): Promise<JoinAck> {
    if (this.#joining) return this.#joining.promise;
    if (this.#link.status.state === 'connected' && this.#lastJoin) return Promise.resolve(this.#lastJoin);
    let [resolve, reject] = [(_: JoinAck) => {}, (_: RollcallError) => {}];
    const promise = new Promise<JoinAck>((...settle) => {
      [resolve, reject] = settle;
    });
    this.#joining = { promise, resolve, reject };
    this.#link.open();
    return promise;
  }

  /** Leaves for good. Without a connection, the others see so only when the grace period is over. */
  leave(): Promise<void> {
    this.#leaving ??= this.#link.sendLast('room:leave', {}, LEAVE_LIMIT_MS).then(() => {
      this.#leaving = undefined;
      this.#link.close({ kind: 'left' });
    });
    return this.#leaving;
  }

  /** Closes the connection without leaving: the grace period begins. A later `join` takes up the same entry. */
  close(): void {
    this.#link.close({ kind: 'closed' });
  }

  /** Says what the user does at the moment. `null` takes back what was said. */
  async updateMember(update: StatusUpdate): Promise<StatusAck> {
    return (await this.#command('member:update', update)) as StatusAck;
  }

  readonly timer = {
    /** Replaces the timer by one that does not run yet. */
    set: (plan: TimerPlan): Promise<Timer> => this.#timerCommand('timer:set', plan),
    start: (): Promise<Timer> => this.#timerCommand('timer:start'),
    pause: (): Promise<Timer> => this.#timerCommand('timer:pause'),
    resume: (): Promise<Timer> => this.#timerCommand('timer:resume'),
    skip: (): Promise<Timer> => this.#timerCommand('timer:skip'),
    reset: (): Promise<Timer> => this.#timerCommand('timer:reset'),
  };

  readonly chat = {
    /** Resolves to the message as others see it, or to null if it was sent long ago or has been deleted. */
    send: async (text: string): Promise<Message | null> =>
      (await this.#chatCommand('chat:send', { text })).message ?? null,
    delete: async (number: number): Promise<void> => {
      await this.#chatCommand('chat:delete', { number });
      this.#model.chat.remove([number]);
      this.#update();
    },
    /** Reads up to so many messages before the known ones. */
    older: (limit = 50): Promise<Chat> => {
      this.#older ??= this.#readOlder(limit).finally(() => {
        this.#older = undefined;
      });
      return this.#older;
    },
    /** Without `forMs`, until the end of the session. */
    mute: async (userId: UserId, forMs?: number): Promise<void> => {
      await this.#chatCommand('chat:mute', forMs === undefined ? { userId } : { userId, forMs });
    },
    unmute: async (userId: UserId): Promise<void> => {
      await this.#chatCommand('chat:unmute', { userId });
    },
    /** 0 ends the slow mode. */
    slow: async (intervalMs: number): Promise<void> => {
      await this.#chatCommand('chat:slow', { intervalMs });
    },
  };

  readonly code = {
    share: (snippet: { text: string; title?: string; language?: string; editors?: Editors }): Promise<Snippet | null> =>
      this.#codeCommand('code:share', snippet, 1, snippet.text),
    /** Changes a snippet. A `VERSION_CONFLICT` has the `current` version. */
    update: (update: SnippetUpdate): Promise<Snippet | null> => {
      const isBase = ({ number, version }: Snippet) => number === update.number && version === update.version;
      const { text = this.#model.code.code.snippets.find(isBase)?.text } = update;
      return this.#codeCommand('code:update', update, update.version + 1, text);
    },
    close: async (number: number): Promise<void> => {
      await this.#codeCommand('code:close', { number }, 0);
      this.#model.code.closed(number);
      this.#update();
    },
    /** Reads a snippet with its text. The snapshot has the text from then on, until the snippet changes. */
    get: async (number: number): Promise<SnippetContent> => {
      const epoch = this.#model.epoch;
      const content = (await this.#command('code:get', { number })) as SnippetContent;
      if (epoch === this.#model.epoch) this.#model.code.put(content.snippet, content.text);
      this.#update();
      return content;
    },
  };

  /** For `@rollcall/yjs` and for events that the client does not know. */
  readonly channel: Channel = {
    request: async (event, payload) => {
      const answer = await this.#link.request(event, payload);
      if (!answer) throw new Error('The connection has ended.');
      return answer.ack as ChannelAck;
    },
    on: (event, listener) => this.#events.on(event as keyof RoomEvents, listener),
    off: (event, listener) => this.#events.off(event as keyof RoomEvents, listener),
  };

  async #command(event: string, payload: object): Promise<unknown> {
    if (this.#link.status.state === 'closed') throw closedError(this.#link.status);
    try {
      const data = await this.#outbox.add(event, payload);
      this.#setOff(event, false);
      return data;
    } catch (error) {
      if ((error as RollcallError).code === 'FEATURE_OFF') this.#setOff(event, true);
      throw error;
    }
  }

  async #timerCommand(event: string, plan: object = {}): Promise<Timer> {
    const ack = (await this.#command(event, plan)) as TimerAck;
    this.#model.timerAck(ack);
    this.#update();
    return ack.timer;
  }

  async #chatCommand(event: string, payload: object): Promise<ChatAck> {
    const ack = (await this.#command(event, payload)) as ChatAck;
    this.#model.chatAck(ack);
    this.#update();
    return ack;
  }

  /** A command that makes this version, with this text. */
  async #codeCommand(event: string, payload: object, version: number, text?: string): Promise<Snippet | null> {
    const ack = (await this.#command(event, payload)) as CodeAck;
    const { snippet = null } = ack;
    // The server may have removed hidden characters, and others may have changed the text since.
    const isSame = snippet?.version === version && snippet.bytes === byteLength(text);
    this.#model.codeAck(ack, isSame ? text : undefined);
    this.#update();
    return snippet;
  }

  async #readOlder(limit: number): Promise<Chat> {
    const { chat } = this.#model;
    const { before } = chat;
    if (!chat.chat.hasOlder || before === undefined) return chat.chat;
    const page = (await this.#command('chat:history', { before, limit })) as History;
    // Meanwhile, the chat may have begun anew.
    if (before === chat.before) chat.olderPage(page);
    this.#update();
    return chat.chat;
  }

  #joinRequest(): object {
    const { groupId } = this;
    const kept = this.#kept.take(this.#user()?.userId);
    if (kept) {
      this.#link.mayHaveEntry();
      this.#resumeToken ??= kept.resumeToken;
    }
    return this.#resumeToken === undefined ? { groupId } : { groupId, resumeToken: this.#resumeToken };
  }

  #entered(answer: Answer, isNew: boolean): void {
    const ack = (answer.ack as Ack<JoinAck> & { success: true }).data;
    this.#heard(answer);
    this.#resumeToken = ack.resumeToken;
    this.#lastJoin = ack;
    this.#model.joined(ack);
    this.#stateCame();
    this.#outbox.inSession(ack.epoch);
    if (isNew) {
      this.#connection = {};
      this.#outbox.resume();
    }
    this.#catchUp();
    this.#update();
    if (!isNew) return;
    this.#joining?.resolve(ack);
    this.#joining = undefined;
    this.#events.emit('joined', ack);
  }

  #lost({ code, message }: TransportEnd): void {
    this.#reading.clear();
    this.#offHere.clear();
    this.#connection = undefined;
    cancel(this.#stateLimit);
    this.#stateLimit = undefined;
    if (code === 'PAYLOAD_TOO_LARGE') this.#outbox.tooLarge();
    this.#outbox.pause();
    this.#events.emit('disconnect', { message: message ?? code ?? '' });
  }

  #changed(status: ConnectionStatus): void {
    this.#update();
    if (status.state !== 'closed' || !status.reason) return;
    if (status.reason.kind !== 'closed') {
      this.#resumeToken = undefined;
      this.#kept.forget();
    }
    const error = closedError(status);
    this.#outbox.fail((isUncertain) => Object.assign(closedError(status), { isUncertain }));
    this.#joining?.reject(error);
    this.#joining = undefined;
    this.#events.emit('closed', status.reason);
  }

  #received<Name extends keyof ServerEvents>(name: Name, payload: ServerEvents[Name]): void {
    const { now } = payload as { now?: number };
    if (now !== undefined) this.#clock.heard(now, Date.now());
    const { isNews, hasGap } = this.#model.event(name, payload);
    if (name === 'room:state') {
      this.#stateCame();
      this.#outbox.inSession((payload as { epoch: number }).epoch);
    }
    if (hasGap) this.#expectState();
    this.#catchUp();
    this.#update();
    if (isNews) this.#events.emit(name, payload as RoomEvents[Name]);
  }

  /** Events are missing. The bridge sends the state by itself, unless it does not know of the gap. */
  #expectState(): void {
    this.#stateLimit ??= after(STATE_LIMIT_MS, () => {
      this.#stateLimit = undefined;
      void this.#link.reenter();
    });
  }

  #stateCame(): void {
    cancel(this.#stateLimit);
    this.#stateLimit = undefined;
  }

  /** Reads what events have not told. */
  #catchUp(): void {
    if (!this.#connection) return;
    const { chat, code } = this.#model;
    if (!chat.chat.isCurrent) {
      void this.#read(
        'chat',
        () => ['chat:history', chat.asked()],
        (page) => chat.page(page as History),
        () => chat.chat.isCurrent,
      );
    }
    if (!code.code.isCurrent) {
      const ask = (): [string, object] => {
        code.asked();
        return ['code:list', {}];
      };
      void this.#read(
        'code',
        ask,
        (list) => code.listed((list as Snippets).snippets),
        () => code.code.isCurrent,
      );
    }
  }

  async #read(
    feature: 'chat' | 'code',
    ask: () => [event: string, payload: object],
    take: (data: unknown) => void,
    isDone: () => boolean,
  ): Promise<void> {
    if (this.#reading.has(feature) || this.#offHere.has(feature)) return;
    this.#reading.add(feature);
    const connection = this.#connection;
    const backoff = new Backoff();
    while (!isDone()) {
      const [event, payload] = ask();
      const epoch = this.#model.epoch;
      const answer = await this.#link.request(event, payload);
      if (connection !== this.#connection) return;
      // What was read from another session says nothing about this one.
      if (epoch !== this.#model.epoch) continue;
      if (answer?.ack.success) {
        this.#heard(answer);
        take(answer.ack.data);
        this.#setOff(event, false);
        this.#update();
      } else if (answer && !answer.ack.success && answer.ack.code === 'FEATURE_OFF') {
        this.#setOff(event, true);
        break;
      } else {
        const code = answer && !answer.ack.success ? answer.ack.code : undefined;
        await new Promise<void>((resolve) => after(backoff.next(code), resolve));
        if (connection !== this.#connection) return;
      }
    }
    this.#reading.delete(feature);
  }

  #setOff(event: string, isOff: boolean): void {
    const feature = FEATURES[event.split(':')[0] ?? ''];
    if (!feature) return;
    if (isOff) this.#offHere.add(feature);
    if (this.#off.includes(feature) === isOff) return;
    this.#off = isOff ? [...this.#off, feature] : this.#off.filter((other) => other !== feature);
    this.#update();
  }

  /** The user, as the newest token says. */
  #user(): Member | null {
    const { token } = this.#link;
    if (token !== this.#selfToken) {
      this.#selfToken = token;
      this.#self = entryOf(token, this.#serverNow());
    }
    return this.#self;
  }

  #heard({ ack, sentAt, receivedAt }: Answer): void {
    const now = ack.success ? (ack.data as { now?: number } | undefined)?.now : undefined;
    if (now !== undefined) this.#clock.heard(now, receivedAt, sentAt);
  }

  #serverNow(): number {
    return serverNow(this.#clock.clock);
  }

  #snapshot(): RoomSnapshot {
    return { ...this.#model.view, connection: this.#link.status, clock: this.#clock.clock, off: this.#off };
  }

  #update(): void {
    const before = this.#store.getSnapshot();
    const next = this.#snapshot();
    const isSame = (Object.keys(next) as (keyof RoomSnapshot)[]).every((key) => next[key] === before[key]);
    if (!isSame) this.#store.set(next);
  }
}

/** The length of a text in UTF-8. */
function byteLength(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
