// What happens in the rooms: members enter, leave, lose their connection and come back; the reminder and the end. Jobs of
// BullMQ do what is due later.

import { Queue, Worker } from 'bullmq';

const QUEUE = 'study';

/** How many jobs of one process run at the same time. */
const CONCURRENT_JOBS = 50;

const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: 100 };

/** A reason not to do what a client asks for. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Sessions {
  #io;
  #rooms;
  #queue;
  #graceMs;
  #reminderLeadMs;

  constructor({ io, rooms, connection, workerConnection, graceMs, reminderLeadMs }) {
    this.#io = io;
    this.#rooms = rooms;
    this.#graceMs = graceMs;
    this.#reminderLeadMs = reminderLeadMs;
    this.#queue = new Queue(QUEUE, { connection, defaultJobOptions: JOB_OPTIONS });
    const jobs = {
      grace: (data) => this.#endGrace(data),
      reminder: (data) => this.#remind(data),
      end: (data) => this.#end(data),
    };
    this.worker = new Worker(QUEUE, ({ name, data }) => jobs[name](data), {
      connection: workerConnection,
      concurrency: CONCURRENT_JOBS,
    });
  }

  async enter(socket, groupId) {
    const { profile } = socket.data;
    if (socket.data.room && socket.data.room !== groupId) {
      throw new Refusal('IN_ANOTHER_ROOM', 'leave the other room first');
    }
    const [definition, before] = await this.#rooms.look(groupId, profile.userId);
    const now = Date.now();
    check(definition, profile.userId, now);
    if (before && (await this.#isConnected(before, socket))) {
      throw new Refusal('ALREADY_JOINED', 'the user is in the room already');
    }
    // Before the change, so that no later event is missed.
    socket.data.room = groupId;
    socket.join(groupId);

    const member = { ...profile, joinedAt: before?.joinedAt ?? now, state: 'present', socketId: socket.id };
    const { first, members } = await this.#rooms.put(groupId, member, now);
    const shown = show(members);
    if (first) await this.#start(groupId, definition, shown, now);
    else if (before) await this.#announceReturn(socket, groupId, before, shown);
    else socket.to(groupId).emit('room:participantsChanged', changed('entered', profile, shown));
    // The connection may be gone by now, and its end found no member.
    if (!socket.connected) await this.lose(socket);
    return { ...describe(groupId, definition, shown, now), first, recovered: Boolean(before) };
  }

  async leave(socket) {
    const { profile, room } = socket.data;
    if (!room) throw new Refusal('NOT_IN_ROOM', 'join a room first');
    socket.data.room = undefined;
    socket.leave(room);
    await this.#remove('left', room, profile);
    return {};
  }

  /** Starts the grace period of a member who has lost the connection. */
  async lose(socket) {
    const { profile, room } = socket.data;
    if (!room) return;
    const [, member] = await this.#rooms.look(room, profile.userId);
    if (member?.socketId !== socket.id) return;
    const now = Date.now();
    const graceUntil = now + this.#graceMs;
    await this.#rooms.put(room, { ...member, state: 'reconnecting', graceUntil }, now);
    this.#io.to(room).emit('room:participantReconnecting', { ...nameOf(profile), graceUntil });
    const jobId = graceJob(room, profile, graceUntil);
    await this.#queue.add('grace', { room, profile, graceUntil }, { delay: this.#graceMs, jobId });
  }

  /** Whether the member has another connection, on any server. */
  async #isConnected(member, socket) {
    if (member.state !== 'present' || member.socketId === socket.id) return false;
    return (await this.#io.in(member.socketId).fetchSockets()).length > 0;
  }

  async #start(room, definition, members, startedAt) {
    const { endAt } = definition;
    this.#io.to(room).emit('room:started', { ...describe(room, definition, members, startedAt), startedAt });
    const delay = endAt - startedAt;
    const jobs = [{ name: 'end', data: { room }, opts: { delay } }];
    if (delay > this.#reminderLeadMs) {
      jobs.push({ name: 'reminder', data: { room, endAt }, opts: { delay: delay - this.#reminderLeadMs } });
    }
    await this.#queue.addBulk(jobs);
  }

  async #announceReturn(socket, room, { userId, userName, graceUntil }, members) {
    if (graceUntil) await this.#queue.remove(graceJob(room, { userId }, graceUntil));
    const event = { userId, userName, count: members.length, members };
    socket.to(room).emit('room:participantReconnected', event);
  }

  async #remove(type, room, profile) {
    const members = await this.#rooms.remove(room, profile.userId);
    if (members) this.#io.to(room).emit('room:participantsChanged', changed(type, profile, show(members)));
  }

  async #endGrace({ room, profile, graceUntil }) {
    const [, member] = await this.#rooms.look(room, profile.userId);
    if (member?.graceUntil === graceUntil) await this.#remove('graceExpired', room, profile);
  }

  #remind({ room, endAt }) {
    this.#io.to(room).emit('room:reminder', { groupId: room, endAt, remainMs: endAt - Date.now() });
  }

  async #end({ room }) {
    await this.#rooms.clear(room);
    this.#io.to(room).emit('room:ended', { groupId: room, reason: 'time' });
    this.#io.in(room).disconnectSockets(true);
  }
}

function check(definition, userId, now) {
  if (!definition) throw new Refusal('NO_SUCH_ROOM', 'no session is defined for this room');
  if (definition.endAt <= now) throw new Refusal('SESSION_ENDED', 'the session is over');
  if (definition.members && !definition.members.includes(userId)) {
    throw new Refusal('NOT_A_MEMBER', 'the session does not list this user');
  }
}

/** The members as clients see them. */
const show = (members) => members.map(({ socketId, ...member }) => member);

function describe(groupId, { endAt, leaderId }, members, now) {
  const host = members.find(({ userId }) => userId === leaderId) ?? members[0];
  return { groupId, members, count: members.length, endAt, remainMs: endAt - now, leaderId, hostId: host?.userId };
}

const nameOf = ({ userId, userName }) => ({ userId, userName });

const changed = (type, profile, members) => ({
  change: { type, users: [nameOf(profile)] },
  count: members.length,
  members,
});

/** BullMQ refuses ids with a colon. */
const graceJob = (room, { userId }, graceUntil) =>
  `grace-${encodeURIComponent(room)}-${encodeURIComponent(userId)}-${graceUntil}`;
