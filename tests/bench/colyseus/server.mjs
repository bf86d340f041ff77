// The study rooms as rooms of Colyseus: the list of members is state that Colyseus synchronises, in the memory of one
// process. Redis holds the definitions, and which process has which room.

import { createSecretKey } from 'node:crypto';

import { Room, Server, ServerError } from '@colyseus/core';
import { RedisDriver } from '@colyseus/redis-driver';
import { RedisPresence } from '@colyseus/redis-presence';
import { schema, t } from '@colyseus/schema';
import { WebSocketTransport } from '@colyseus/ws-transport';
import express from 'express';
import jwt from 'jsonwebtoken';

const {
  LISTEN = '127.0.0.1:0',
  REDIS_URL,
  JWT_KEYS,
  OPERATOR_TOKEN,
  GRACE_MS = '30000',
  REMINDER_LEAD_MS = '600000',
} = process.env;

/** A class that enters at once opens more connections than Node.js lets wait by default. */
const BACKLOG = 4096;

const graceMs = Number(GRACE_MS);
const reminderLeadMs = Number(REMINDER_LEAD_MS);

const key = createSecretKey(JSON.parse(JWT_KEYS).keys[0].k, 'base64url');

const Member = schema(
  {
    userId: t.string(),
    userName: t.string(),
    userRole: t.string(),
    joinedAt: t.number(),
    state: t.string(),
    graceUntil: t.number(),
  },
  'Member',
);

const State = schema(
  { groupId: t.string(), startedAt: t.number(), endAt: t.number(), leaderId: t.string(), members: t.map(Member) },
  'State',
);

class StudyRoom extends Room {
  // The session lasts until its end, even while the room is empty.
  autoDispose = false;

  /** The connection of each user. */
  #connections = new Map();

  static onAuth(token) {
    try {
      const claims = jwt.verify(token, key, { algorithms: ['HS256'] });
      const { userId = claims.sub, username = claims.name, userRole } = claims;
      return { userId, userName: username ?? userId, userRole };
    } catch {
      throw new ServerError(401, 'TOKEN_INVALID');
    }
  }

  async onCreate({ groupId }) {
    const definition = JSON.parse(await presence.get(definitionKey(groupId)));
    const startedAt = Date.now();
    if (!definition) throw new ServerError(404, 'NO_SUCH_ROOM');
    const { endAt, leaderId } = definition;
    if (endAt <= startedAt) throw new ServerError(410, 'SESSION_ENDED');
    this.state = new State().assign({ groupId, startedAt, endAt, leaderId });
    this.clock.setTimeout(() => this.#end(), endAt - startedAt);
    const untilReminder = endAt - reminderLeadMs - startedAt;
    if (untilReminder > 0) this.clock.setTimeout(() => this.#remind(), untilReminder);
  }

  onJoin(client, _options, profile) {
    const { members } = this.state;
    const before = members.get(profile.userId);
    if (before?.state === 'present') throw new ServerError(409, 'ALREADY_JOINED');
    this.#connections.set(profile.userId, client.sessionId);
    if (before) this.onReconnect(client);
    else members.set(profile.userId, new Member().assign({ ...profile, joinedAt: Date.now(), state: 'present' }));
  }

  onDrop(client) {
    this.state.members.get(client.auth.userId).assign({ state: 'reconnecting', graceUntil: Date.now() + graceMs });
    this.allowReconnection(client, graceMs / 1000);
  }

  onReconnect(client) {
    this.state.members.get(client.auth.userId).state = 'present';
  }

  onLeave(client) {
    const { userId } = client.auth;
    // The user may be back through another connection.
    if (this.#connections.get(userId) !== client.sessionId) return;
    this.#connections.delete(userId);
    this.state.members.delete(userId);
  }

  #remind() {
    const { groupId, endAt } = this.state;
    this.broadcast('room:reminder', { groupId, endAt, remainMs: endAt - Date.now() });
  }

  #end() {
    this.broadcast('room:ended', { groupId: this.state.groupId, reason: 'time' });
    this.disconnect();
  }
}

const definitionKey = (room) => `study:${room}:definition`;

const presence = new RedisPresence(REDIS_URL);
const server = new Server({
  presence,
  driver: new RedisDriver(REDIS_URL),
  transport: new WebSocketTransport(),
  greet: false,
  express: (app) => app.put('/rooms/:room', express.json({ type: () => true }), defineRoom),
});
server.define('study', StudyRoom).filterBy(['groupId']);

/** `PUT /rooms/{id}` defines a session. */
async function defineRoom(request, response) {
  if (request.headers.authorization !== `Bearer ${OPERATOR_TOKEN}`) return response.sendStatus(401);
  await presence.set(definitionKey(request.params.room), JSON.stringify(request.body));
  response.sendStatus(201);
}

const [host, port] = LISTEN.split(':');
await server.listen(Number(port), host, BACKLOG);
const bound = server.transport.server.address();
console.log(`service.started listen=${bound.address}:${bound.port}`);
