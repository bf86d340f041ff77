// A double of Rollcall in memory: one room, and bridges that hold, merge and miss events. Tests choose delays, losses and
// refusals. The order of messages in each direction of a connection stays, as over TCP.

const GRACE_MS = 30_000;
const HOUR = 3_600_000;

const WRITTEN = ['chat:message', 'chat:deleted', 'code:shared', 'code:closed'];
const MEMBERS = ['room:participantsChanged', 'room:participantReconnecting', 'room:participantReconnected'];
const HELD = [...MEMBERS, ...WRITTEN, 'room:memberUpdated', 'room:hostChanged', 'timer:changed', 'code:updated'];

const clone = (value) => JSON.parse(JSON.stringify(value));
const RELIABLE = { delay: () => 5, hold: () => 0, misses: () => false, isCut: () => false, refuse: () => undefined };

export class Server {
  bridges = [];
  /** The resume token that a user's entry has, by user. */
  #resumeTokens = new Map();
  #lastNumber = 0;
  #lastSnippet = 0;
  #lastEntry = 0;
  features = ['timer', 'status', 'chat', 'code'];
  rosterLimit = 256;
  duplicates = 'refuse';

  constructor(clock, network = {}) {
    this.clock = clock;
    this.network = { ...RELIABLE, ...network };
    this.bridges = [new Bridge(this), new Bridge(this)];
    this.begin();
  }

  /** A session begins. */
  begin() {
    const { now } = this.clock;
    this.epoch = Math.max(now, (this.epoch ?? 0) + 1);
    this.seq = 0;
    this.isOver = false;
    this.members = [];
    this.messages = [];
    this.deletions = [];
    this.snippets = [];
    this.texts = new Map();
    this.done = new Map();
    this.endAt = now + HOUR;
    this.timer = undefined;
    this.leaderId = 'lea';
    this.hostId = undefined;
    this.slowMs = 0;
    this.mutes = new Map();
    this.#resumeTokens.clear();
  }

  get position() {
    return { epoch: this.epoch, seq: this.seq };
  }

  /** The list of members, unless the room is above the roster limit. */
  get roster() {
    return this.members.length > this.rosterLimit ? {} : { members: clone(this.members) };
  }

  get state() {
    const { endAt, hostId, leaderId, timer } = this;
    const { now } = this.clock;
    const count = this.members.length;
    return clone({
      groupId: 'algebra',
      ...this.roster,
      count,
      endAt,
      remainMs: endAt - now,
      now,
      timer,
      leaderId,
      hostId,
      ...this.position,
    });
  }

  member(userId) {
    return this.members.find((member) => member.userId === userId);
  }

  publish(event, data, options = {}) {
    this.seq += 1;
    const envelope = { event, ...options, data: clone({ ...data, ...this.position }) };
    for (const bridge of this.bridges) bridge.take(envelope);
  }

  #changed(type, users, options) {
    const named = users.map(({ userId, userName, userRole }) => ({ userId, userName, userRole }));
    this.publish(
      'room:participantsChanged',
      { change: { type, users: named }, count: this.members.length, ...this.roster },
      options,
    );
    this.#chooseHost();
  }

  #chooseHost() {
    const host = this.member(this.leaderId) ?? this.members[0];
    if (!host || host.userId === this.hostId) return;
    this.hostId = host.userId;
    this.publish('room:hostChanged', { hostId: host.userId, userName: host.userName });
  }

  // What happens to members.

  enter(userId, except) {
    const member = { userId, userName: `Name of ${userId}`, joinedAt: this.clock.now, state: 'present' };
    this.members.push(member);
    if (this.hostId === undefined) this.hostId = userId;
    this.#changed('entered', [member], { except });
  }

  gone(type, userId) {
    const member = this.member(userId);
    this.members = this.members.filter((other) => other !== member);
    this.#resumeTokens.delete(userId);
    this.#changed(type, [member]);
  }

  rename(userId, userName, userRole) {
    const member = this.member(userId);
    Object.assign(member, { userName, userRole });
    this.#changed('updated', [member]);
  }

  drop(userId) {
    const { userName, ...member } = this.member(userId);
    if (member.state === 'reconnecting') return;
    const graceUntil = this.clock.now + GRACE_MS;
    Object.assign(this.member(userId), { state: 'reconnecting', graceUntil });
    this.publish('room:participantReconnecting', { userId, userName, graceUntil });
    const { epoch } = this;
    this.clock.after(GRACE_MS, () => {
      const isLost = epoch === this.epoch && this.member(userId)?.graceUntil === graceUntil;
      if (isLost && !this.isOver) this.gone('graceExpired', userId);
    });
  }

  comeBack(userId, except) {
    const member = this.member(userId);
    if (member.state === 'present') return;
    member.state = 'present';
    delete member.graceUntil;
    const { userName } = member;
    this.publish(
      'room:participantReconnected',
      { userId, userName, count: this.members.length, ...this.roster },
      { except },
    );
  }

  update(userId, update) {
    const member = this.member(userId);
    for (const [field, value] of Object.entries(update)) {
      if (value === null) delete member[field];
      else member[field] = value;
    }
    const { userName, status, goal } = member;
    this.publish('room:memberUpdated', { userId, userName, status, goal, now: this.clock.now });
  }

  // What happens in the room.

  setTimer(timer, by) {
    this.timer = timer;
    this.publish('timer:changed', { timer, by, now: this.clock.now });
  }

  reschedule(endAt) {
    this.endAt = endAt;
    this.publish('room:rescheduled', { groupId: 'algebra', endAt, remainMs: endAt - this.clock.now });
  }

  lead(leaderId) {
    this.leaderId = leaderId;
    this.publish('room:leaderChanged', { leaderId });
    this.#chooseHost();
  }

  write(userId, text, id = `of-${this.#lastNumber}`) {
    const message = {
      number: this.#nextNumber(),
      id,
      userId,
      userName: `Name of ${userId}`,
      text,
      sentAt: this.clock.now,
    };
    this.messages.push(message);
    this.publish('chat:message', { message, now: this.clock.now });
    return message;
  }

  erase(deletes) {
    const number = this.#nextNumber();
    this.messages = this.messages.filter((message) => message.number !== deletes);
    this.deletions.push({ number, deletes });
    this.publish('chat:deleted', { number, deletes, now: this.clock.now });
  }

  #nextNumber() {
    this.#lastNumber = Math.max(this.#lastNumber + 1, this.clock.now);
    return this.#lastNumber;
  }

  slow(slowMs) {
    this.slowMs = slowMs;
    this.publish('chat:slowed', { slowMs, now: this.clock.now });
  }

  muted() {
    return [...this.mutes].map(([userId, mutedUntil]) => ({ userId, mutedUntil }));
  }

  mute(userId, mutedUntil) {
    if (mutedUntil) this.mutes.set(userId, mutedUntil);
    else this.mutes.delete(userId);
    this.publish(mutedUntil ? 'room:muted' : 'room:unmuted', {
      userId,
      mutedUntil: mutedUntil ?? undefined,
      now: this.clock.now,
    });
  }

  share(userId, text, id = `of-${this.#lastSnippet}`) {
    this.#lastSnippet += 1;
    const user = { userId, userName: `Name of ${userId}` };
    const { now } = this.clock;
    const made = { ...user, sharedAt: now, updatedBy: user, updatedAt: now };
    const snippet = { number: this.#lastSnippet, id, editors: 'everybody', version: 1, bytes: text.length, ...made };
    this.snippets.push(snippet);
    this.texts.set(snippet.number, text);
    this.#tellOf('code:shared', snippet);
    return snippet;
  }

  edit(userId, number, text) {
    const snippet = this.snippet(number);
    const by = { userId, userName: `Name of ${userId}` };
    Object.assign(snippet, {
      version: snippet.version + 1,
      bytes: text.length,
      updatedBy: by,
      updatedAt: this.clock.now,
    });
    this.texts.set(number, text);
    this.#tellOf('code:updated', snippet);
  }

  #tellOf(event, snippet) {
    const text = this.texts.get(snippet.number);
    this.publish(event, { snippet, text: text.length > 20 ? undefined : text, now: this.clock.now });
  }

  unshare(number) {
    this.snippets = this.snippets.filter((snippet) => snippet.number !== number);
    this.texts.delete(number);
    this.publish('code:closed', { number, now: this.clock.now });
  }

  snippet(number) {
    return this.snippets.find((snippet) => snippet.number === number);
  }

  /** The session ends. `isSeen`: whether the bridges hear of it. */
  end(reason = 'time', isSeen = true) {
    if (isSeen) this.publish('room:ended', { groupId: 'algebra', reason }, { closes: true });
    this.isOver = true;
  }

  // Requests of clients.

  handle(connection, event, payload) {
    const { id } = payload;
    if (event === 'server:ping') return { success: true, data: {} };
    if (event === 'auth:refresh') return { success: true, data: { expiresAt: this.clock.now + HOUR } };
    const code = this.network.refuse(event, payload, connection);
    if (code) return { success: false, code, message: '' };
    try {
      if (event === 'room:join') return { success: true, data: clone(this.#join(connection, payload)) };
      if (!connection.isInRoom || this.isOver) throw 'NOT_IN_ROOM';
      if (
        !this.features.includes({ member: 'status' }[event.split(':')[0]] ?? event.split(':')[0]) &&
        event !== 'room:leave'
      )
        throw 'FEATURE_OFF';
      const data = clone({
        ...this[event](connection.userId, payload, this.done.get(id)),
        ...this.position,
        now: this.clock.now,
      });
      return { success: true, data };
    } catch (code) {
      if (typeof code !== 'string') throw code;
      return { success: false, code, message: '' };
    }
  }

  #join(connection, { resumeToken }) {
    const { userId } = connection;
    if (this.isOver) throw 'SESSION_ENDED';
    if (connection.isInRoom) {
      // The events that the ack includes come before it.
      connection.bridge.flush();
      connection.position = this.position;
    } else this.#enterBy(connection, userId, resumeToken);
    return { first: false, recovered: false, resumeToken: connection.resumeToken, ...this.state };
  }

  #enterBy(connection, userId, resumeToken) {
    const others = this.bridges
      .flatMap((bridge) => [...bridge.connections])
      .filter((other) => other.userId === userId && other.isInRoom);
    const resumes = resumeToken !== undefined && (this.#resumeTokens.get(userId) ?? []).includes(resumeToken);
    if (others.length > 0 && !resumes && this.duplicates === 'refuse') throw 'ALREADY_JOINED';
    this.#lastEntry += 1;
    connection.entry = `entry-${this.#lastEntry}`;
    for (const other of others) other.replace();
    if (this.member(userId)) this.comeBack(userId, connection.entry);
    else this.enter(userId, connection.entry);
    // The new token and the presented one are valid.
    connection.resumeToken = `of-${connection.entry}`;
    this.#resumeTokens.set(userId, [...(resumes ? [resumeToken] : []), connection.resumeToken]);
    connection.isInRoom = true;
    connection.position = this.position;
  }

  'room:leave'(userId) {
    if (this.member(userId)) this.gone('left', userId);
  }

  'member:update'(userId, { id, ...update }, isDone) {
    if (!isDone) this.update(userId, update);
    this.done.set(id, true);
    const { userName, status, goal } = this.member(userId);
    return { userId, userName, status, goal };
  }

  'timer:set'(userId, { id, ...plan }, isDone) {
    if (!isDone) this.setTimer({ plan, state: 'idle', phase: plan.mode }, { userId });
    this.done.set(id, true);
    return { timer: this.timer };
  }

  'chat:send'(userId, { id, text }, isDone) {
    if (this.mutes.has(userId) && !isDone) throw 'MUTED';
    if (!isDone) this.write(userId, text, id);
    this.done.set(id, true);
    return { message: this.messages.find((message) => message.id === id) };
  }

  'chat:delete'(_, { id, number }, isDone) {
    if (isDone) return {};
    if (!this.messages.some((message) => message.number === number)) throw 'NO_SUCH_MESSAGE';
    this.erase(number);
    this.done.set(id, true);
    return {};
  }

  'chat:history'(userId, { before, after, limit = 5 }) {
    const most = Math.min(limit, 5);
    const all = [...this.messages, ...this.deletions].sort((a, b) => a.number - b.number);
    const fits = all.filter(
      ({ number }) => (before === undefined || number < before) && (after === undefined || number > after),
    );
    const page = after === undefined ? fits.slice(-most) : fits.slice(0, most);
    return {
      messages: page.filter(({ deletes }) => deletes === undefined),
      deleted: page.filter(({ deletes }) => deletes !== undefined).map(({ deletes }) => deletes),
      first: page[0]?.number,
      last: page.at(-1)?.number,
      more: fits.length > page.length,
      slowMs: this.slowMs || undefined,
      mutedUntil: this.mutes.get(userId),
      mutes: this.muted(),
    };
  }

  'code:list'() {
    return { snippets: this.snippets };
  }

  'code:get'(_, { number }) {
    const snippet = this.snippet(number);
    if (!snippet) throw 'NO_SUCH_SNIPPET';
    return { snippet, text: this.texts.get(number) };
  }

  'code:share'(userId, { id, text }, isDone) {
    if (!isDone) this.share(userId, text, id);
    this.done.set(id, true);
    return { snippet: this.snippets.find((snippet) => snippet.id === id) };
  }

  'code:update'(userId, { id, number, version, text }, isDone) {
    const snippet = this.snippet(number);
    if (isDone) return { snippet };
    if (!snippet) throw 'NO_SUCH_SNIPPET';
    if (snippet.version !== version) throw 'VERSION_CONFLICT';
    this.edit(userId, number, text);
    this.done.set(id, true);
    return { snippet };
  }

  'code:close'(_, { id, number }, isDone) {
    if (isDone) return {};
    if (!this.snippet(number)) throw 'NO_SUCH_SNIPPET';
    this.unshare(number);
    this.done.set(id, true);
    return {};
  }
}

/** Holds, merges and misses events. */
class Bridge {
  connections = new Set();
  #held = [];
  #isHolding = false;

  constructor(server) {
    this.server = server;
  }

  take(envelope) {
    const { network, clock } = this.server;
    if (network.misses(envelope)) return this.#resync();
    this.#held.push(envelope);
    if (!HELD.includes(envelope.event)) return this.flush();
    if (this.#isHolding) return;
    this.#isHolding = true;
    clock.after(network.hold(), () => this.flush());
  }

  /** Reads the room after missed events. */
  #resync() {
    this.server.clock.after(this.server.network.delay() + 20, () => {
      this.flush();
      if (this.server.isOver) return;
      for (const connection of this.connections)
        if (connection.isInRoom) connection.tell('room:state', this.server.state);
    });
  }

  flush() {
    const held = this.#held;
    this.#held = [];
    this.#isHolding = false;
    for (const connection of [...this.connections]) connection.admit(held);
  }
}

/** One connection of a client, seen from both ends. */
export class Connection {
  isOpen = true;
  isInRoom = false;
  isShut = false;
  position = { epoch: 0, seq: 0 };
  /** The events that have arrived. */
  heard = [];
  #arrivals = { up: 0, down: 0 };

  /** `events` are those of a transport. */
  constructor(server, bridge, userId, events) {
    Object.assign(this, { server, bridge, userId, events });
    bridge.connections.add(this);
    this.#later('down', () => events.opened());
  }

  /** For the client: sends a request. */
  send(event, payload, ack) {
    const request = clone(payload);
    this.#later('up', () => {
      // What comes after the server has closed the connection has no effect.
      if (this.isShut) return;
      if (this.server.network.isCut(this, event)) return this.cut();
      const response = this.server.handle(this, event, request);
      if (event === 'room:join' && response.success) this.isInRoom = true;
      this.#later('down', () => ack(response));
    });
  }

  /** For the client: closes the connection. */
  close() {
    // Nothing arrives over a connection that the network has lost.
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#end();
  }

  /** The network loses the connection. The server notices later, the client at once. */
  cut(noticedAfterMs = 0) {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.server.clock.after(noticedAfterMs, () => this.#end());
    this.server.clock.after(0, () => this.events.closed({ message: 'cut' }));
  }

  /** The network loses the connection, and the server notices first. */
  vanish() {
    this.#end();
    this.cut();
  }

  /** The server closes the connection. */
  shut(end) {
    this.#later('down', () => {
      this.isOpen = false;
      this.events.closed(end);
    });
    this.isInRoom = false;
    this.isShut = true;
    this.bridge.connections.delete(this);
  }

  /** Another connection has taken the place. */
  replace() {
    this.#later('down', () => this.events.event('room:replaced', { groupId: 'algebra' }));
    this.shut({ code: 'room:replaced' });
  }

  /** Sends what the client does not know yet. */
  admit(envelopes) {
    if (!this.isInRoom) return;
    const { epoch, seq } = this.position;
    const news = envelopes.filter(({ data }) => data.epoch > epoch || (data.epoch === epoch && data.seq > seq));
    const isTogether = news.length === envelopes.length && news.every(({ except }) => except !== this.entry);
    for (const { event, data, except, closes } of isTogether ? merge(news) : news) {
      this.position = { epoch: data.epoch, seq: data.seq };
      if (except !== this.entry) this.tell(event, data);
      if (closes) this.shut({ code: event });
    }
  }

  tell(event, data) {
    if (event === 'room:state') this.position = { epoch: data.epoch, seq: data.seq };
    const payload = clone(data);
    this.#later('down', () => {
      this.heard.push([event, clone(payload)]);
      this.events.event(event, payload);
    });
  }

  /** An event arrives that has arrived before. */
  repeat(event, payload) {
    if (this.isOpen) this.events.event(event, payload);
  }

  #end() {
    if (!this.bridge.connections.delete(this)) return;
    const { server, userId } = this;
    const wasInRoom = this.isInRoom;
    this.isInRoom = false;
    if (wasInRoom && !server.isOver && server.member(userId)) server.drop(userId);
  }

  /** Messages of one direction stay in order. */
  #later(direction, act) {
    const { clock, network } = this.server;
    this.#arrivals[direction] = Math.max(this.#arrivals[direction], clock.now + network.delay());
    clock.after(this.#arrivals[direction] - clock.now, () => {
      if (this.isOpen) act();
    });
  }
}

/** Merges neighbours as a bridge does: never across an event that the bridge has missed. */
function merge(envelopes) {
  const merged = [];
  for (const { event, data } of envelopes) {
    const last = merged.at(-1);
    if (last?.event === event && !WRITTEN.includes(event) && isMergeable(last.data, data))
      last.data = mergeData(event, last.data, data);
    else merged.push({ event, data: clone(data) });
  }
  const listed = merged.findLastIndex(({ data }) => data.members);
  for (const [index, { data }] of merged.entries()) if (index !== listed) delete data.members;
  return merged;
}

function isMergeable(a, b) {
  const follows = a.epoch === b.epoch && a.seq + 1 === b.seq;
  return follows && a.change?.type === b.change?.type && a.snippet?.number === b.snippet?.number;
}

const without = (users, later) => users.filter(({ userId }) => !later.some((user) => user.userId === userId));

function mergeData(event, a, b) {
  const firstSeq = a.firstSeq ?? a.seq;
  if (b.change) {
    const { type, users } = b.change;
    return { ...b, firstSeq, change: { type, users: [...without(a.change.users, users), ...users] } };
  }
  if (!MEMBERS.includes(event) && event !== 'room:memberUpdated') return { ...b, firstSeq };
  const { epoch, seq, count, now, members, ...user } = b;
  const { epoch: _, seq: __, firstSeq: ___, count: ____, now: _____, members: ______, users = undefined, ...first } = a;
  return { epoch, seq, firstSeq, count, now, members, users: [...without(users ?? [first], [user]), user] };
}
