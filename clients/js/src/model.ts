// The room, as the server's messages tell of it.

import { type Chat, ChatLog } from './chat.js';
import { Members } from './members.js';
import type {
  ChatAck,
  CodeAck,
  Editor,
  JoinAck,
  Member,
  Position,
  RoomState,
  ServerEvents,
  Timer,
  TimerAck,
  UserId,
} from './protocol.js';
import { share } from './share.js';
import { type Code, SnippetShelf } from './snippets.js';

/** The session of the room. */
export interface Session {
  /** The number of the session. */
  readonly epoch: number;
  /** When the session ends, by the server's clock. */
  readonly endAt: number;
  /** Whether the reminder has come. */
  readonly isReminded: boolean;
  /** Why the session is over, if it is. `ended`: an operator ended it. */
  readonly ended: 'time' | 'ended' | null;
}

/** What the server says about the room. All parts stay the same object until they change. */
export interface RoomView {
  /** None before the first join. */
  readonly session: Session | null;
  /** In the order of their arrival. None where the server lists no members, as in rooms above the roster limit. */
  readonly members: readonly Member[] | null;
  /** How many members are in the room. */
  readonly count: number;
  /** The own entry. */
  readonly self: Member | null;
  readonly hostId: UserId | null;
  readonly leaderId: UserId | null;
  readonly timer: Timer | null;
  readonly chat: Chat;
  readonly code: Code;
}

/** What became of an event. */
export type Outcome = {
  /** Whether listeners should hear of it. An event that the client has already is known from an ack. */
  isNews: boolean;
  /** Whether events before it are missing. */
  hasGap: boolean;
};

type Events = { [Name in keyof ServerEvents]?: (event: ServerEvents[Name]) => void };

export class RoomModel {
  readonly chat = new ChatLog();
  readonly code = new SnippetShelf();
  #position: Position | undefined;
  /** The position of the timer. An ack may be ahead of the events. */
  #timerSeq = 0;
  readonly #self: () => Member | null;
  readonly #serverNow: () => number;
  readonly #members: Members;
  #view: RoomView;

  /** `self` describes the user as the token does. */
  constructor(self: () => Member | null, serverNow: () => number) {
    this.#self = self;
    this.#serverNow = serverNow;
    this.#members = new Members(this.#isSelf);
    this.#view = {
      session: null,
      members: null,
      count: 0,
      self: null,
      hostId: null,
      leaderId: null,
      timer: null,
      chat: this.chat.chat,
      code: this.code.code,
    };
  }

  get epoch(): number | undefined {
    return this.#position?.epoch;
  }

  get view(): RoomView {
    const { list: members, count, self } = this.#members;
    const chat = share(this.#view.chat, this.chat.chat);
    const next = { ...this.#view, members, count, self, chat, code: this.code.code };
    const isSame = (Object.keys(next) as (keyof RoomView)[]).every((key) => next[key] === this.#view[key]);
    if (!isSame) this.#view = next;
    return this.#view;
  }

  /** The user has entered. */
  joined(ack: JoinAck): void {
    this.#replace(ack);
  }

  /** A request about the timer succeeded. */
  timerAck({ timer, ...position }: TimerAck): void {
    if (position.epoch === this.epoch) this.#setTimer(timer, position);
  }

  /** A request about the chat succeeded. */
  chatAck({ message, epoch }: ChatAck): void {
    if (message && epoch === this.epoch) this.chat.acknowledged(message);
  }

  /** A request about the code succeeded. */
  codeAck({ snippet, epoch }: CodeAck, text?: string): void {
    if (snippet && epoch === this.epoch) this.code.put(snippet, text);
  }

  /** An event has arrived. */
  event<Name extends keyof ServerEvents>(name: Name, event: ServerEvents[Name]): Outcome {
    if (name === 'room:state') {
      this.#replace(event as RoomState);
      return { isNews: true, hasGap: false };
    }
    const position = event as Partial<Position>;
    // Events of documents and of connections are not numbered.
    if (position.seq === undefined || position.epoch === undefined) return { isNews: true, hasGap: false };
    if (!this.#position || position.epoch < this.#position.epoch) return { isNews: false, hasGap: false };
    // The bridge has missed the end of the session, and the beginning of this one.
    if (position.epoch > this.#position.epoch) return this.#missed(false);
    if (position.seq <= this.#position.seq) return { isNews: false, hasGap: false };
    const follows = (position.firstSeq ?? position.seq) <= this.#position.seq + 1;
    if (!follows) this.#missed(true);
    this.#position = { epoch: position.epoch, seq: position.seq };
    (this.#events[name] as ((event: ServerEvents[Name]) => void) | undefined)?.(event);
    return { isNews: true, hasGap: !follows };
  }

  #missed(isNews: boolean): Outcome {
    this.chat.missed();
    this.code.missed();
    return { isNews, hasGap: true };
  }

  readonly #isSelf = ({ userId }: Pick<Editor, 'userId'>): boolean => String(userId) === String(this.#self()?.userId);

  /** Takes over the whole room. */
  #replace(room: RoomState | JoinAck): void {
    const { epoch, seq } = room;
    const isOther = epoch !== this.epoch;
    // With a lower number, the server has lost its last writes.
    if (isOther || seq < (this.#position?.seq ?? 0)) {
      this.chat.reset();
      this.code.reset();
    }
    this.#missed(false);
    this.#position = { epoch, seq };
    this.#timerSeq = seq;
    const self = isOther ? this.#self() : (this.#members.self ?? this.#self());
    this.#members.replace(room, self);
    const { hostId = null, leaderId = null, endAt, timer = null } = room;
    this.#view = { ...this.#view, hostId, leaderId, timer: share(this.#view.timer, timer) };
    this.#setEnd(endAt, isOther);
  }

  #setEnd(endAt: number, isOther = false): void {
    const { session } = this.#view;
    const isSame = !isOther && session?.endAt === endAt;
    const epoch = this.epoch ?? 0;
    const next = {
      epoch,
      endAt,
      isReminded: isSame && session.isReminded,
      ended: isOther ? null : (session?.ended ?? null),
    };
    this.#view = { ...this.#view, session: share(session, next) };
  }

  #setSession(changes: Partial<Session>): void {
    if (this.#view.session) this.#view = { ...this.#view, session: { ...this.#view.session, ...changes } };
  }

  #setTimer(timer: Timer, { seq }: Position): void {
    if (seq < this.#timerSeq) return;
    this.#timerSeq = seq;
    this.#view = { ...this.#view, timer: share(this.#view.timer, timer) };
  }

  readonly #events: Events = {
    'room:started': ({ hostId, leaderId = null, endAt, ...room }) => {
      this.#members.replace(room, this.#members.self);
      this.#view = { ...this.#view, hostId, leaderId };
      this.#setEnd(endAt);
    },
    'room:participantsChanged': (event) => this.#members.changed(event, this.#serverNow()),
    'room:participantReconnecting': (event) => this.#members.reconnecting(event),
    'room:participantReconnected': (event) => this.#members.reconnected(event),
    'room:memberUpdated': (event) => this.#members.updated(event),
    'room:hostChanged': ({ hostId }) => {
      this.#view = { ...this.#view, hostId };
    },
    'room:leaderChanged': ({ leaderId = null }) => {
      this.#view = { ...this.#view, leaderId };
    },
    'room:rescheduled': ({ endAt }) => {
      // A mute until the end moves with it.
      const { session, chat } = this.#view;
      if (session && chat.mutes.some(({ mutedUntil }) => mutedUntil >= session.endAt)) this.chat.missed();
      this.#setEnd(endAt);
    },
    'room:reminder': ({ endAt }) => {
      this.#setEnd(endAt);
      this.#setSession({ isReminded: true });
    },
    'room:ended': ({ reason }) => this.#setSession({ ended: reason }),
    'timer:changed': ({ timer, ...position }) => this.#setTimer(timer, position),
    'timer:phaseChanged': ({ timer, ...position }) => this.#setTimer(timer, position),
    'chat:message': ({ message }) => this.chat.arrived(message),
    'chat:deleted': ({ number, deletes }) => this.chat.deletedBy(number, deletes),
    'chat:slowed': ({ slowMs }) => this.chat.slowed(slowMs),
    'room:muted': ({ userId, mutedUntil }) => this.chat.muted(userId, mutedUntil, this.#isSelf({ userId })),
    'room:unmuted': ({ userId }) => this.chat.muted(userId, null, this.#isSelf({ userId })),
    'code:shared': ({ snippet, text }) => this.code.put(snippet, text),
    'code:updated': ({ snippet, text }) => this.code.put(snippet, text),
    'code:closed': ({ number }) => this.code.closed(number),
  };
}
