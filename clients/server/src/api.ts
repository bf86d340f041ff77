// The HTTP API of Rollcall. It uses nothing that only Node.js has, because the operator's page runs it in browsers.

import { type CallOptions, Calls, type CallsOptions, type Result } from './calls.js';
import type {
  Attendance,
  ChatAck,
  ChatRequest,
  DefinitionPatch,
  History,
  HistoryRequest,
  LiveRoom,
  LiveRooms,
  Member,
  Message,
  RoomCounts,
  RoomMembers,
  SessionDefinition,
  SnippetContent,
  Snippets,
  SweepReport,
  TimerAck,
  TimerRequest,
} from './generated.js';
import { checkId, type Id } from './ids.js';

/** A definition with its revision. */
export interface StoredDefinition {
  definition: SessionDefinition;
  etag: string;
}

/** The call fails with `PRECONDITION_FAILED` unless the definition meets these conditions. */
export interface Conditions extends CallOptions {
  /** Demands one of these `ETag`s, separated by commas, or any definition (`*`). */
  ifMatch?: string;
  /** Demands another `ETag` than these, or no definition (`*`). */
  ifNoneMatch?: string;
}

export interface PageOptions extends CallOptions {
  limit?: number;
  /** The `next` of the page before. */
  after?: string;
}

/**
 * Calls the HTTP API. Each method is one operation, and rejects with a `RollcallError`. A room or a user whose id
 * Rollcall would refuse causes a `TypeError`.
 *
 * A call that failed for a moment is tried again if that is safe: unless the first attempt may have had its effect and a
 * second effect would matter, as of a notice, or of a change with conditions.
 */
export class RollcallApi {
  readonly #calls: Calls;

  constructor(options: CallsOptions) {
    this.#calls = new Calls(options);
  }

  /** Lists live rooms, a page at a time. */
  async list({ limit, after, signal }: PageOptions = {}): Promise<LiveRooms> {
    const { body } = await this.#calls.call('list', { path: {}, query: { limit, after }, ...READ }, { signal });
    return body;
  }

  /** Lists all live rooms. */
  async *eachRoom({ signal }: CallOptions = {}): AsyncGenerator<LiveRoom, void, void> {
    for await (const page of pages((after) => this.list({ ...after, signal }))) yield* page.rooms;
  }

  /** Counts the members of up to 100 rooms. */
  async counts(ids: Id[], { signal }: CallOptions = {}): Promise<RoomCounts> {
    for (const id of ids) {
      checkId(id, 'ids');
      if (String(id).includes(',')) throw new TypeError('ids: an id with a comma cannot be asked for');
    }
    const { body } = await this.#calls.call('counts', { path: {}, query: { ids: ids.join() }, ...READ }, { signal });
    return body;
  }

  /** Reads a definition. Returns null if `ifNoneMatch` names its revision. */
  get(id: Id, options?: CallOptions & { ifMatch?: string }): Promise<StoredDefinition>;
  get(id: Id, options: Conditions): Promise<StoredDefinition | null>;
  async get(id: Id, options: Conditions = {}): Promise<StoredDefinition | null> {
    const result = await this.#calls.call('get', { path: room(id), headers: conditions(options), ...READ }, options);
    return result.status === NOT_MODIFIED ? null : stored(result);
  }

  /** Sets a definition, which a live session adopts at once. `isNew` says whether there was none before. */
  async put(
    id: Id,
    definition: SessionDefinition,
    options: Conditions = {},
  ): Promise<StoredDefinition & { isNew: boolean }> {
    const result = await this.#calls.call(
      'put',
      { path: room(id), headers: conditions(options), body: definition, isRepeatable: isUnconditional(options) },
      options,
    );
    return { ...stored(result), isNew: result.status === CREATED };
  }

  /** Changes the fields of a definition that the patch names. `null` removes a field. */
  async patch(id: Id, patch: DefinitionPatch, options: Conditions = {}): Promise<StoredDefinition> {
    const result = await this.#calls.call(
      'patch',
      { path: room(id), headers: conditions(options), body: patch, isRepeatable: isUnconditional(options) },
      options,
    );
    return stored(result);
  }

  /** Deletes a definition and ends its session. */
  async delete(id: Id, options: Conditions = {}): Promise<void> {
    await this.#calls.call(
      'delete',
      { path: room(id), headers: conditions(options), isRepeatable: isUnconditional(options) },
      options,
    );
  }

  /** Ends the session now, and keeps the definition with that end. */
  async end(id: Id, options?: CallOptions): Promise<void> {
    await this.#calls.call('end', { path: room(id), isRepeatable: true }, options);
  }

  /** Reads the state of a live room with a page of its members. */
  async members(id: Id, { limit, after, signal }: PageOptions = {}): Promise<RoomMembers> {
    const { body } = await this.#calls.call(
      'members',
      { path: room(id), query: { limit, after }, ...READ },
      { signal },
    );
    return body;
  }

  /** Lists all members of a live room. */
  async *eachMember(id: Id, { signal }: CallOptions = {}): AsyncGenerator<Member, void, void> {
    for await (const page of pages((after) => this.members(id, { ...after, signal }))) yield* page.members ?? [];
  }

  /** Removes a member. The user may enter again if the definition allows it. */
  async kick(id: Id, user: Id, options?: CallOptions): Promise<void> {
    checkId(user, 'user');
    await this.#calls.call('kick', { path: { ...room(id), user }, isRepeatable: true }, options);
  }

  /** Sends a notice to all members: plain text of 1 to 2000 characters. */
  async notify(id: Id, text: string, options?: CallOptions): Promise<void> {
    await this.#calls.call('notify', { path: room(id), body: { text }, isRepeatable: false }, options);
  }

  /** Changes the timer. */
  async commandTimer(id: Id, command: TimerRequest, options?: CallOptions): Promise<TimerAck> {
    const { body } = await this.#calls.call('command_timer', { path: room(id), ...once(command) }, options);
    return body;
  }

  /** Moderates the chat. */
  async commandChat(id: Id, command: ChatRequest, options?: CallOptions): Promise<ChatAck> {
    const { body } = await this.#calls.call('command_chat', { path: room(id), ...once(command) }, options);
    return body;
  }

  /** Reads messages: the latest, or those next to a number. */
  async history(id: Id, { signal, ...query }: HistoryRequest & CallOptions = {}): Promise<History> {
    const { body } = await this.#calls.call('history', { path: room(id), query, ...READ }, { signal });
    return body;
  }

  /** Lists all messages, or those after a number, oldest first. */
  async *eachMessage(
    id: Id,
    { after = 0, signal }: CallOptions & { after?: number } = {},
  ): AsyncGenerator<Message, void, void> {
    for (let page: History | undefined; page?.more ?? true; ) {
      page = await this.history(id, { after: page?.last ?? after, limit: 100, signal });
      yield* page.messages;
    }
  }

  /** Lists the snippets of code, without their texts. */
  async snippets(id: Id, options?: CallOptions): Promise<Snippets> {
    const { body } = await this.#calls.call('snippets', { path: room(id), ...READ }, options);
    return body;
  }

  /** Reads a snippet and its text. */
  async snippet(id: Id, number: number, options?: CallOptions): Promise<SnippetContent> {
    const { body } = await this.#calls.call('snippet', { path: { ...room(id), number }, ...READ }, options);
    return body;
  }

  /** Closes a snippet of a live room. */
  async closeSnippet(id: Id, number: number, options?: CallOptions): Promise<void> {
    await this.#calls.call('close_snippet', { path: { ...room(id), number }, isRepeatable: true }, options);
  }

  /** Reads the attendance. */
  async attendance(id: Id, options?: CallOptions): Promise<Attendance> {
    const { body } = await this.#calls.call('attendance', { path: room(id), ...READ }, options);
    return body;
  }

  /** Settles what is due, with a token for sweeps. */
  async sweep(options?: CallOptions): Promise<SweepReport> {
    const { body } = await this.#calls.call('sweep', { path: {}, isRepeatable: true }, options);
    return body;
  }

  /** Settles what is due, with a token in the path. */
  async sweepByPath(token: string, options?: CallOptions): Promise<SweepReport> {
    const { body } = await this.#calls.call('sweep_by_path', { path: { token }, isRepeatable: true }, options);
    return body;
  }
}

const READ = { isRepeatable: true };
const CREATED = 201;
const NOT_MODIFIED = 304;

function room(id: Id): { id: Id } {
  checkId(id, 'id');
  return { id };
}

function conditions({ ifMatch, ifNoneMatch }: Conditions) {
  return { 'If-Match': ifMatch, 'If-None-Match': ifNoneMatch };
}

/** After an attempt that had its effect, the same conditions fail. */
const isUnconditional = ({ ifMatch, ifNoneMatch }: Conditions) => ifMatch === undefined && ifNoneMatch === undefined;

const stored = ({ body, etag }: Result<'get' | 'put' | 'patch'>) => ({ definition: body, etag: etag ?? '' });

/** A command with an id has no second effect. */
function once<Command extends TimerRequest | ChatRequest>(command: Command) {
  return { body: { ...command, id: command.id ?? crypto.randomUUID() }, isRepeatable: true };
}

async function* pages<Page extends { next?: string | null }>(read: (after: { after?: string }) => Promise<Page>) {
  let after: string | null | undefined;
  do {
    const page = await read(after ? { after } : {});
    yield page;
    after = page.next;
  } while (after);
}
