// A service for study rooms as teams write it with Socket.IO, its Redis adapter and BullMQ. Rollcall is compared with it.

import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';

import { Rooms } from './rooms.mjs';
import { Refusal, Sessions } from './sessions.mjs';

const NAMESPACE = '/study';

const {
  LISTEN = '127.0.0.1:0',
  REDIS_URL,
  JWT_KEYS,
  OPERATOR_TOKEN,
  GRACE_MS = '30000',
  REMINDER_LEAD_MS = '600000',
} = process.env;

// Commands of the same turn of the event loop share a write.
const redis = new Redis(REDIS_URL, { enableAutoPipelining: true });
// A worker waits in a blocking command, and BullMQ asks for a connection that never gives up.
const blocking = new Redis(REDIS_URL, { maxRetriesPerRequest: null });

const key = createSecretKey(JSON.parse(JWT_KEYS).keys[0].k, 'base64url');

const rooms = new Rooms(redis);
const http = createServer(handleRequest);
const io = new Server(http, { adapter: createAdapter(redis, redis.duplicate()), serveClient: false });
const study = io.of(NAMESPACE);
const sessions = new Sessions({
  io: study,
  rooms,
  connection: redis,
  workerConnection: blocking,
  graceMs: Number(GRACE_MS),
  reminderLeadMs: Number(REMINDER_LEAD_MS),
});
sessions.worker.on('failed', (_, error) => console.error(error));

study.use((socket, next) => {
  try {
    const claims = jwt.verify(socket.handshake.auth.token, key, { algorithms: ['HS256'] });
    const { userId = claims.sub, username = claims.name, userRole } = claims;
    socket.data.profile = { userId, userName: username ?? userId, userRole };
    next();
  } catch {
    next(new Error('TOKEN_INVALID'));
  }
});

study.on('connection', (socket) => {
  handle(socket, 'room:join', ({ groupId }) => sessions.enter(socket, groupId));
  handle(socket, 'room:leave', () => sessions.leave(socket));
  socket.on('disconnect', () => sessions.lose(socket).catch(console.error));
});

/** Handles an event and answers with an ack. */
function handle(socket, event, action) {
  socket.on(event, async (payload, ack) => {
    try {
      ack?.({ success: true, data: await action(payload) });
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      ack?.({ success: false, code: error.code ?? 'UNAVAILABLE', message: error.message });
    }
  });
}

/** `PUT /rooms/{id}` defines a session. */
async function handleRequest(request, response) {
  const [, room] = request.url.match(/^\/rooms\/([^/]+)$/) ?? [];
  if (request.method !== 'PUT' || !room) return response.writeHead(404).end();
  if (request.headers.authorization !== `Bearer ${OPERATOR_TOKEN}`) return response.writeHead(401).end();
  try {
    await rooms.define(decodeURIComponent(room), await json(request));
    response.writeHead(201).end();
  } catch (error) {
    response.writeHead(400).end(error.message);
  }
}

const [host, port] = LISTEN.split(':');
await sessions.worker.waitUntilReady();
http.listen(Number(port), host, () => {
  const { address, port } = http.address();
  console.log(`service.started listen=${address}:${port}`);
});
