// A double of Rollcall in memory: one room with one document. Tests choose delays, losses and refusals.

import { Y } from './clock.mjs';

const encode = (bytes) => Buffer.from(bytes).toString('base64');
const decode = (text) => new Uint8Array(Buffer.from(text, 'base64'));

export class Server {
  doc = new Y.Doc();
  edit = 0;
  /** The connections that have the document open. */
  open = new Set();
  /** Returns the code of a refusal, or nothing. */
  refuse = () => undefined;

  constructor(text = '') {
    if (text) this.doc.getText('text').insert(0, text);
  }

  get text() {
    return this.doc.getText('text').toString();
  }

  handle(connection, event, payload) {
    const code = connection.isInRoom ? this.refuse(event, payload, connection) : 'NOT_IN_ROOM';
    if (code) return { success: false, code, message: '' };
    const data = this[event](connection, payload);
    return { success: true, data: { now: Date.now(), ...data } };
  }

  'document:open'(connection) {
    this.open.add(connection);
    return { snippet: {}, document: encode(Y.encodeStateAsUpdate(this.doc)), edit: this.edit };
  }

  'document:close'(connection) {
    this.open.delete(connection);
    return {};
  }

  'document:update'(connection, { number, update }) {
    Y.applyUpdate(this.doc, decode(update));
    this.edit += 1;
    this.#tellOthers(connection, 'document:updated', { number, edit: this.edit, update });
    return { edit: this.edit };
  }

  'document:awareness'(connection, { number, update }) {
    this.#tellOthers(connection, 'document:awareness', { number, update });
    return {};
  }

  #tellOthers(connection, event, payload) {
    for (const other of this.open) {
      if (other !== connection) other.deliver(event, { ...payload, userId: connection.userId, now: Date.now() });
    }
  }
}

const RELIABLE = { delay: () => 5, losesRequest: () => false, losesAck: () => false, copies: () => 1 };

/** A channel of one user. `network` says what happens to messages. */
export class Connection {
  /** All requests: {at, event, payload}. */
  requests = [];
  isConnected = true;
  isInRoom = true;
  #listeners = new Map();
  /** Messages of an earlier connection do not arrive over a later one. */
  #generation = 0;

  constructor(server, userId, network = {}) {
    this.server = server;
    this.userId = userId;
    this.network = { ...RELIABLE, ...network };
  }

  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  get listeners() {
    return [...this.#listeners.values()].reduce((sum, listeners) => sum + listeners.size, 0);
  }

  request(event, payload) {
    if (!this.isConnected) return Promise.reject(new Error('not connected'));
    this.requests.push({ at: Date.now(), event, payload });
    return new Promise((resolve) => {
      this.#later(() => {
        if (this.network.losesRequest()) return;
        const ack = this.server.handle(this, event, payload);
        if (!this.network.losesAck()) this.#later(() => resolve(ack));
      });
    });
  }

  /** Sends an event to this client. */
  deliver(event, payload) {
    for (let copies = this.network.copies(event); copies > 0; copies -= 1) this.#later(() => this.emit(event, payload));
  }

  /** Calls the listeners. */
  emit(event, payload) {
    for (const listener of this.#listeners.get(event) ?? []) listener(payload);
  }

  /** The connection ends. */
  drop() {
    this.isConnected = false;
    this.isInRoom = false;
    this.#generation += 1;
    this.server.open.delete(this);
    this.emit('disconnect', 'transport close');
  }

  /** A new connection has joined the room. */
  rejoin() {
    this.isConnected = true;
    this.isInRoom = true;
  }

  /** The requests of this event. */
  sent(event) {
    return this.requests.filter((request) => request.event === event);
  }

  #later(act) {
    const generation = this.#generation;
    setTimeout(() => {
      if (generation === this.#generation) act();
    }, this.network.delay());
  }
}
