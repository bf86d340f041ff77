// Rooms of the client `@rollcall/client`, and what the operators' API says about the same rooms.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

import { Bundle } from './bundle.mjs';
import { tokenFor } from './tokens.mjs';
import { until } from './wait.mjs';

const bundle = await Bundle.of('client-library.js', 'node');
export const library = createRequire(import.meta.url)(bundle.file);
await bundle.stop();

export const CLIENT_TRANSPORTS = {
  WebSocket: (url) => library.webSocket({ url, WebSocket }),
  'Socket.IO': (url) => library.socketIo({ url, io, options: { transports: ['websocket'] } }),
  'Socket.IO over polling': (url) => library.socketIo({ url, io, options: { transports: ['polling'] } }),
};

const rooms = new Set();

/** A room of the client. `token` is a source of tokens. */
export function clientRoom(user, groupId, { url, transport, token = () => tokenFor(user) }) {
  const room = new library.Room({ transport: CLIENT_TRANSPORTS[transport](url), groupId, token });
  rooms.add(room);
  return room;
}

export function closeRooms() {
  for (const room of rooms) room.close();
  rooms.clear();
}

/** Waits until the snapshot fits. */
export async function snapshotOf(room, fits, what) {
  let snapshot;
  await until(
    () => {
      snapshot = room.getSnapshot();
      return fits(snapshot);
    },
    () => `${what}: ${JSON.stringify(snapshot)}`,
    60_000,
  );
  return snapshot;
}

export const isSettled = ({ connection, chat, code, off }) =>
  connection.state === 'connected' &&
  (chat.isCurrent || off.includes('chat')) &&
  (code.isCurrent || off.includes('code'));

/** What the operators' API says about a room. */
async function truthOf(harness, groupId) {
  const [members, messages, snippets] = await Promise.all(
    ['members', 'messages?limit=100', 'snippets'].map(async (path) => {
      const response = await harness.api('GET', `/rooms/${groupId}/${path}`);
      return response.ok ? await response.json() : {};
    }),
  );
  return { ...members, messages: messages.messages, mutes: messages.mutes, snippets: snippets.snippets };
}

/** Waits until each snapshot is what the operators' API says. */
export async function assertTrue(harness, groupId, clients) {
  const differences = async () => {
    const truth = await truthOf(harness, groupId);
    for (const client of clients) {
      const snapshot = client.getSnapshot();
      if (!isSettled(snapshot)) return JSON.stringify(snapshot);
      const seen = JSON.parse(JSON.stringify(snapshot));
      try {
        assert.deepEqual(seen.members, truth.members);
        assert.deepEqual(
          [seen.count, seen.hostId, seen.leaderId, seen.session.endAt, seen.session.epoch],
          [truth.count, truth.hostId, truth.leaderId, truth.endAt, truth.epoch],
        );
        // The API does not tell of the timer.
        assert.deepEqual(snapshot.timer, clients[0].getSnapshot().timer);
        if (truth.messages) {
          assert.deepEqual(seen.chat.messages, truth.messages);
          assert.deepEqual(new Set(seen.chat.mutes), new Set(truth.mutes));
        }
        const shared = seen.code.snippets.map(({ text: _, ...snippet }) => snippet);
        if (truth.snippets) assert.deepEqual(shared, truth.snippets);
      } catch (error) {
        return error.message;
      }
    }
    return undefined;
  };
  let difference;
  await until(
    async () => {
      difference = await differences();
      return difference === undefined;
    },
    () => `the snapshots are what the API says: ${difference}`,
    60_000,
  );
}
