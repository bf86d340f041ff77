// A client over a plain WebSocket.

import { WebSocket } from 'ws';

import { Member } from './member.mjs';
import { within } from './wait.mjs';

export class WebSocketMember extends Member {
  #acks = new Map();
  #lastId = 0;

  /** `token` goes into the Authorization header; browsers send it in `protocols`. Other options are those of `ws`. */
  constructor(user, bridge, { token, headers = {}, protocols = [], ...options } = {}) {
    super(user);
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const url = `${bridge.url.replace(/^http/, 'ws')}/ws`;
    this.socket = new WebSocket(url, protocols, { headers: { ...authorization, ...headers }, ...options });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
      // The server refused the upgrade with an HTTP response.
      this.socket.once('unexpected-response', (_, response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () =>
          reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode, body })),
        );
      });
    });
    this.opened.catch(() => {});
    this.socket.on('error', () => {});
    this.socket.on('close', (code, reason) => this.ended({ code, reason: reason.toString() }));
    this.socket.on('message', (bytes) => this.#receive(JSON.parse(bytes)));
  }

  async connected() {
    await within(this.opened, `${this.user} is connected`);
    return this;
  }

  #receive(frame) {
    if (!('ack' in frame)) return this.arrived(frame.event, frame.data);
    const waiting = this.#acks.get(frame.ack);
    this.#acks.delete(frame.ack);
    if (!waiting) return this.arrived('unexpected ack', frame);
    this.acknowledged(waiting.event, frame.data);
    waiting.resolve(frame.data);
  }

  /** Sends an event and returns its ack. */
  request(event, data) {
    this.#lastId += 1;
    return this.raw({ id: this.#lastId, event, data });
  }

  /** Sends a frame with an id, and returns the ack of that id. */
  raw(frame, text = JSON.stringify(frame)) {
    const answer = new Promise((resolve) => this.#acks.set(frame.id, { event: frame.event, resolve }));
    this.socket.send(text);
    return this.answered(answer, `an ack of ${text.slice(0, 80)}`);
  }

  /** Closes with a close frame. */
  disconnect() {
    this.socket.close();
  }

  /** Aborts the TCP connection. */
  terminate() {
    this.socket.terminate();
  }
}
