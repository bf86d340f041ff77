// The messages of the room, without a hole and without a double.

import type { History, HistoryRequest, Message, Mute } from './protocol.js';
import { share } from './share.js';

/** The chat of a room. */
export interface Chat {
  /** The oldest first. */
  readonly messages: readonly Message[];
  /** Whether the server may have older ones, see `room.chat.older()`. */
  readonly hasOlder: boolean;
  /** Whether all messages up to now are there: not before the first page, and not after missed events. */
  readonly isCurrent: boolean;
  /** The interval in which each member may write once. 0 without slow mode. */
  readonly slowMs: number;
  /** Until when the user may write nothing, by the server's clock. */
  readonly mutedUntil: number | null;
  /** Who may write nothing, and until when by the server's clock. A mute that is over may still be there. */
  readonly mutes: readonly Mute[];
}

export const EMPTY_CHAT: Chat = {
  messages: [],
  hasOlder: false,
  isCurrent: false,
  slowMs: 0,
  mutedUntil: null,
  mutes: [],
};

/** The most messages of a page. */
const MAX_PAGE = 100;
/** The most messages that are kept while new ones come. The server itself keeps fewer by default. */
const KEPT = 2000;
/** The most numbers of deleted messages that are kept. */
const KEPT_DELETED = 2000;

export class ChatLog {
  chat = EMPTY_CHAT;
  /** All messages and deletions up to this number are known. None before the first page. */
  #upTo: number | undefined;
  /** The latest number of an event, while events may have been missed before it. */
  #latest = 0;
  /** The page that begins with this number is the oldest one. */
  #first: number | undefined;
  /** What has changed since a page was asked for, which may be older. None while none is asked for. */
  #changes: (() => void)[] | undefined;
  /** Whether events may have been missed since the latest request for a page. */
  #hasMissed = false;
  /** A page that was read before a deletion must not bring the message back. */
  #deleted = new Set<number>();

  /** The number to ask for older messages with. */
  get before(): number | undefined {
    return this.#first;
  }

  /** Forgets everything: these are the messages of another session, or the server has lost some. */
  reset(): void {
    this.#changes = undefined;
    this.#upTo = undefined;
    this.#latest = 0;
    this.#first = undefined;
    this.#deleted = new Set();
    this.chat = share(this.chat, EMPTY_CHAT);
  }

  /** Events may have been missed. */
  missed(): void {
    this.#hasMissed = true;
    this.#set({ isCurrent: false });
    // Without a first page, nothing tells what lies between these messages and the page that comes.
    if (this.#upTo === undefined && this.chat.messages.length > 0) this.#set({ messages: [] });
  }

  /** The page after the known messages is asked for. Returns what to ask for. */
  asked(): HistoryRequest {
    this.#changes = [];
    this.#hasMissed = false;
    return this.#upTo === undefined ? {} : { after: this.#upTo, limit: MAX_PAGE };
  }

  /** A message is known from an event. */
  arrived(message: Message): void {
    this.add([message]);
    this.#passed(message.number);
  }

  /** A message is known from an ack. The ack of a repeated command may hold an old one. */
  acknowledged(message: Message): void {
    const isBeforePages = this.chat.hasOlder && message.number < (this.#first ?? 0);
    if (!isBeforePages) this.add([message]);
  }

  /** Messages are known, perhaps before those that came before them. */
  add(messages: readonly Message[]): void {
    const missing = messages.filter(({ number }) => !this.#deleted.has(number) && !this.#has(number));
    if (missing.length === 0) return;
    const all = [...this.chat.messages, ...missing].sort((a, b) => a.number - b.number);
    this.#set({ messages: all });
  }

  /** A deletion, which has a number of its own, is known from an event. */
  deletedBy(number: number, deletes: number): void {
    this.remove([deletes]);
    this.#passed(number);
  }

  remove(numbers: readonly number[]): void {
    for (const number of numbers) this.#deleted.add(number);
    for (const number of this.#deleted) {
      if (this.#deleted.size <= KEPT_DELETED) break;
      this.#deleted.delete(number);
    }
    if (numbers.some((number) => this.#has(number))) {
      this.#set({ messages: this.chat.messages.filter(({ number }) => !numbers.includes(number)) });
    }
  }

  /** The page that was asked for. */
  page({ messages, deleted, first, last = 0, more, slowMs = 0, mutedUntil, mutes = [] }: History): void {
    // The page of a request from before a reset says nothing about the messages after it.
    const changes = this.#changes;
    if (!changes) return;
    this.#changes = undefined;
    const isLatest = this.#upTo === undefined;
    this.remove(deleted);
    this.add(messages);
    if (isLatest) {
      this.#first = first;
      this.#set({ hasOlder: more });
      // Others may lie between an older message, known from an ack, and the page.
      const isBefore = ({ number }: Message) => more && number < (first ?? 0);
      if (this.chat.messages.some(isBefore)) {
        this.#set({ messages: this.chat.messages.filter((message) => !isBefore(message)) });
      }
    }
    const isCurrent = (isLatest || !more) && !this.#hasMissed;
    this.#upTo = Math.max(this.#upTo ?? 0, last, isCurrent ? this.#latest : 0);
    this.#set({ isCurrent, slowMs, mutedUntil: mutedUntil ?? null, mutes: share(this.chat.mutes, mutes) });
    for (const change of changes) change();
  }

  /** A page of messages before the known ones. */
  olderPage({ messages, deleted, first = this.#first, more }: History): void {
    this.remove(deleted);
    this.add(messages);
    this.#first = first;
    this.#set({ hasOlder: more });
  }

  slowed(slowMs: number): void {
    this.#change(() => this.#set({ slowMs }));
  }

  /** A user may write nothing until then, or may write again if that is null. */
  muted(userId: Mute['userId'], mutedUntil: number | null, isSelf: boolean): void {
    this.#change(() => {
      const others = this.chat.mutes.filter((mute) => String(mute.userId) !== String(userId));
      this.#set({ mutes: mutedUntil === null ? others : [...others, { userId, mutedUntil }] });
      if (isSelf) this.#set({ mutedUntil });
    });
  }

  #change(change: () => void): void {
    change();
    this.#changes?.push(change);
  }

  #has(number: number): boolean {
    const { messages } = this.chat;
    // Most messages are new, and the latest.
    const last = messages.at(-1);
    if (!last || last.number < number) return false;
    return messages.some((message) => message.number === number);
  }

  #passed(number: number): void {
    this.#latest = Math.max(this.#latest, number);
    if (!this.chat.isCurrent) return;
    this.#upTo = this.#latest;
    const excess = this.chat.messages.length - KEPT;
    if (excess <= 0) return;
    const messages = this.chat.messages.slice(excess);
    this.#first = messages[0]?.number;
    this.#set({ messages, hasOlder: true });
  }

  #set(changes: Partial<Chat>): void {
    const next = { ...this.chat, ...changes };
    const isSame = (Object.keys(changes) as (keyof Chat)[]).every((key) => next[key] === this.chat[key]);
    if (!isSame) this.chat = next;
  }
}
