// An editor in a process of its own: node <bundle> <JSON of url, transport, token, room, number>
// It joins the room, opens the document, and comes back after each loss of the connection. The parent process calls its
// functions by messages {id, name, args}, and gets {id, result}.

import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

import { RollcallProvider } from '../../../clients/yjs/src/index.ts';

const AGAIN_MS = 100;

const { transport, token, room, number, ...given } = JSON.parse(process.argv[2]);
let { url } = given;

/** A channel whose connections end and begin. */
class Connection {
  #listeners = new Map();
  #request = () => Promise.reject(new Error('not connected'));

  request(event, payload) {
    return this.#request(event, payload);
  }

  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  /** For transports: an event came, or `disconnect`. */
  arrived(event, payload) {
    for (const listener of this.#listeners.get(event) ?? []) listener(payload);
  }

  /** For transports: requests go out like this from now on. */
  began(request) {
    this.#request = request;
  }
}

/** Connects once. `began` is called when the connection can be used, and `ended` when it is gone. */
const TRANSPORTS = {
  'Socket.IO': (began, ended) => {
    const socket = io(`${url}/study`, {
      auth: { token },
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    socket.onAny((event, payload) => connection.arrived(event, payload));
    socket.on('connect', () => began((event, payload) => socket.emitWithAck(event, payload)));
    socket.on('connect_error', ended);
    socket.on('disconnect', ended);
    return () => socket.disconnect();
  },
  WebSocket: (began, ended) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, ['rollcall.v1', `bearer.${token}`]);
    const acks = new Map();
    let lastId = 0;
    const request = (event, data) => {
      lastId += 1;
      socket.send(JSON.stringify({ id: lastId, event, data }));
      return new Promise((resolve) => acks.set(lastId, resolve));
    };
    socket.onopen = () => began(request);
    socket.onmessage = ({ data: text }) => {
      const { ack, event, data } = JSON.parse(text);
      if (ack === undefined) return connection.arrived(event, data);
      acks.get(ack)?.(data);
      acks.delete(ack);
    };
    socket.onerror = () => {};
    socket.onclose = ended;
    return () => socket.close();
  },
};

const connection = new Connection();
const doc = new Y.Doc();
const text = doc.getText('text');
const provider = new RollcallProvider(connection, number, doc);
const errors = [];
provider.on('error', ({ code }) => errors.push(code));

let resumeToken;

async function stay() {
  for (;;) {
    await new Promise((ended) => {
      const close = TRANSPORTS[transport](async (request) => {
        const ack = await request('room:join', { groupId: room, resumeToken });
        if (!ack.success) return close();
        resumeToken = ack.data.resumeToken;
        connection.began(request);
        provider.connect();
      }, ended);
    });
    connection.arrived('disconnect');
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Waits until the server has acknowledged all changes. */
const saved = () =>
  new Promise((resolve) => {
    const check = (isSaved) => {
      if (!isSaved) return;
      provider.off('saved', check);
      resolve();
    };
    provider.on('saved', check);
    check(provider.saved);
  });

const acknowledged = [];
let isWriting = false;
let writing;

async function writeUntilStopped(name) {
  for (let count = 0; isWriting; count += 1) {
    const line = `${name}.${count}`;
    // Everybody writes at the same place.
    text.insert(0, `${line}\n`);
    await saved();
    acknowledged.push(line);
  }
}

const FUNCTIONS = {
  text: () => text.toString(),
  state: () => ({ status: provider.status, synced: provider.synced, saved: provider.saved, errors }),
  acknowledged: () => acknowledged,
  insert: (at, what) => text.insert(at, what),
  delete: (at, length) => text.delete(at, length),
  setAwareness: (state) => provider.awareness.setLocalState(state),
  awareness: () => [...provider.awareness.getStates().values()],
  /** Connects to another bridge after the next loss. */
  use: (other) => {
    url = other;
  },
  /** Writes lines, each after the acknowledgement of the one before, until `stopWriting`. */
  write: (name) => {
    isWriting = true;
    writing = writeUntilStopped(name);
  },
  stopWriting: async () => {
    isWriting = false;
    await writing;
    return acknowledged;
  },
};

process.on('message', async ({ id, name, args }) => process.send({ id, result: await FUNCTIONS[name](...args) }));
process.on('disconnect', () => process.exit());

void stay();
