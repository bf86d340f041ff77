// Commands until the server has answered them, in order, across connections.

import { Backoff } from './backoff.js';
import { isTemporary, RollcallError } from './errors.js';
import { after, cancel, type Timeout, uniqueId } from './platform.js';
import type { Ack } from './protocol.js';
import type { Answer } from './wire.js';

/** How many commands may wait. */
const LIMIT = 100;
/** How long a command may take. The server remembers ids for ten minutes. */
const AGE_LIMIT_MS = 60_000;

interface Command {
  event: string;
  payload: object;
  /** The session that the command is for. None if it was given before the first join. */
  epoch: number | undefined;
  /** How often the command was sent without an answer that says what became of it: it may have had its effect. */
  unanswered: number;
  /** What is in the way of the next attempt. */
  pause: Timeout | undefined;
  backoff: Backoff;
  limit: Timeout;
  resolve(data: unknown): void;
  reject(error: RollcallError): void;
}

export interface OutboxOwner {
  /** Sends a request over the connection. */
  send(event: string, payload: object): Promise<Answer | undefined>;
  answered(answer: Answer): void;
  /** The server says that the connection is not in the room. */
  outside(): void;
}

/**
 * Each kind of command has a lane: its first command is sent, and sent again with the same `id` until an answer comes. So
 * commands of a kind take effect in the order in which they are given, and each of them once.
 */
export class Outbox {
  readonly #owner: OutboxOwner;
  readonly #lanes = new Map<string, Command[]>();
  /** Counts connections: what is sent over one of them is lost with it. None while there is no connection. */
  #connection: number | undefined;
  #connections = 0;
  #epoch: number | undefined;

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  /** Resolves to the data of the ack. Rejects with a `RollcallError`. */
  add(event: string, payload: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting = [...this.#lanes.values()].reduce((sum, lane) => sum + lane.length, 0);
      if (waiting >= LIMIT) return reject(new RollcallError('QUEUE_FULL', 'Too many commands wait.'));
      const [kind = ''] = event.split(':');
      const lane = this.#lanes.get(kind) ?? [];
      this.#lanes.set(kind, lane);
      const command: Command = {
        event,
        payload: { ...payload, id: uniqueId() },
        epoch: this.#epoch,
        unanswered: 0,
        pause: undefined,
        backoff: new Backoff(),
        limit: after(AGE_LIMIT_MS, () => this.#giveUp(lane, command)),
        resolve,
        reject,
      };
      lane.push(command);
      if (lane.length === 1) this.#sendFirst(lane);
    });
  }

  /** The session is this one. Commands for an earlier one are refused. */
  inSession(epoch: number): void {
    this.#epoch = epoch;
    for (const lane of this.#lanes.values()) {
      for (const command of lane.filter((command) => command.epoch !== undefined && command.epoch !== epoch)) {
        const isUncertain = command.unanswered > 0;
        const error = new RollcallError('SESSION_ENDED', 'The session is over.', { isUncertain });
        this.#settle(lane, command).reject(error);
      }
    }
  }

  /** A new connection is in the room. */
  resume(): void {
    this.#connections += 1;
    this.#connection = this.#connections;
    for (const lane of this.#lanes.values()) this.#sendFirst(lane);
  }

  /** The connection is lost. */
  pause(): void {
    this.#connection = undefined;
    for (const lane of this.#lanes.values()) for (const { pause } of lane) cancel(pause);
  }

  /** A message was too large, and the connection has been closed for it: the largest command must not be sent again. */
  tooLarge(): void {
    const sent = [...this.#lanes.values()].filter(([first]) => (first?.unanswered ?? 0) > 0);
    const size = ([first]: Command[]) => JSON.stringify(first?.payload).length;
    const [lane] = sent.sort((a, b) => size(b) - size(a));
    const [command] = lane ?? [];
    if (!lane || !command) return;
    this.#settle(lane, command).reject(new RollcallError('PAYLOAD_TOO_LARGE', 'The command is too large.'));
  }

  /** Rejects all commands. */
  fail(error: (isUncertain: boolean) => RollcallError): void {
    this.pause();
    for (const lane of this.#lanes.values()) {
      for (const command of [...lane]) this.#settle(lane, command).reject(error(command.unanswered > 0));
    }
    this.#epoch = undefined;
  }

  #sendFirst(lane: Command[]): void {
    const [command] = lane;
    if (command && this.#connection !== undefined) void this.#send(lane, command, this.#connection);
  }

  async #send(lane: Command[], command: Command, connection: number): Promise<void> {
    cancel(command.pause);
    command.unanswered += 1;
    const answer = await this.#owner.send(command.event, command.payload);
    if (connection !== this.#connection || !lane.includes(command)) return;
    if (!answer) return this.#again(lane, command);
    const { ack } = answer;
    if (!ack.success && isTemporary(ack.code)) return this.#refused(lane, command, ack);
    this.#settle(lane, command);
    if (ack.success) {
      this.#owner.answered(answer);
      command.resolve(ack.data);
    } else command.reject(RollcallError.of(ack));
    this.#sendFirst(lane);
  }

  #refused(lane: Command[], command: Command, { code }: Ack<unknown> & { success: false }): void {
    // What is refused has no effect. An earlier attempt, over a connection that was lost, may have had it.
    if (code !== 'UNAVAILABLE') command.unanswered -= 1;
    if (code === 'NOT_IN_ROOM' || code === 'ENTRY_CLOSED') this.#owner.outside();
    this.#again(lane, command, code);
  }

  #again(lane: Command[], command: Command, code?: string): void {
    command.pause = after(command.backoff.next(code), () => {
      if (this.#connection !== undefined) void this.#send(lane, command, this.#connection);
    });
  }

  #giveUp(lane: Command[], command: Command): void {
    this.#settle(lane, command);
    const isUncertain = command.unanswered > 0;
    command.reject(new RollcallError('TIMED_OUT', 'The server did not answer in time.', { isUncertain }));
    this.#sendFirst(lane);
  }

  #settle(lane: Command[], command: Command): Command {
    cancel(command.pause);
    cancel(command.limit);
    const index = lane.indexOf(command);
    if (index >= 0) lane.splice(index, 1);
    return command;
  }
}
