// A room of the real client over a transport in memory, for which a test plays the server.

import { Room } from '@rollcall/client';

export const START = 1_700_000_000_000;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const TOKEN = `${encode({ alg: 'none' })}.${encode({ userId: 'kim', username: 'Kim' })}.`;

export const member = (userId, more = {}) => ({ userId, userName: userId, joinedAt: START, state: 'present', ...more });

export const TIMER = { plan: { mode: 'countdown', durationMs: 60_000 }, state: 'idle', phase: 'countdown' };

export class Server {
  /** Every request, as `event`, in order. */
  requests = [];
  connections = 0;
  #seq = 1;
  #events;

  constructor() {
    this.room = new Room({ transport: this.#transport, groupId: 'algebra', token: () => TOKEN });
  }

  #transport = (_token, events) => {
    this.connections += 1;
    this.#events = events;
    queueMicrotask(() => events.opened());
    return {
      send: (event, payload, ack) => {
        this.requests.push(event);
        queueMicrotask(() => ack({ success: true, data: this.#answer(event, payload) }));
      },
      close: () => {},
    };
  };

  #answer(event, payload) {
    const now = Date.now();
    const position = { epoch: 1, seq: this.#seq };
    if (event === 'room:join') {
      const members = [member('kim'), member('ali')];
      const session = { endAt: now + 3_600_000, remainMs: 3_600_000, hostId: 'kim', leaderId: 'kim', first: true };
      return { ...position, ...session, members, count: 2, now, recovered: false, resumeToken: 'r', timer: TIMER };
    }
    if (event === 'chat:history') return { messages: [], deleted: [], more: false, now };
    if (event === 'code:list') return { snippets: [], now };
    if (event === 'timer:start') return { ...position, timer: runningFrom(now), now };
    if (event === 'member:update') return { ...position, userId: 'kim', userName: 'Kim', ...payload, now };
    return { ...position, now };
  }

  /** Sends the next event of the room. */
  emit(name, payload) {
    this.#seq += 1;
    this.#events.event(name, { epoch: 1, seq: this.#seq, now: Date.now(), ...payload });
  }

  /** The connection is lost. */
  cut() {
    this.#events.closed({ message: 'lost' });
  }
}

export const runningFrom = (now) => ({ ...TIMER, state: 'running', startedAt: now, endsAt: now + 60_000 });

export const message = (number, text) => ({ number, id: `${number}`, userId: 'ali', userName: 'Ali', text, sentAt: 0 });
