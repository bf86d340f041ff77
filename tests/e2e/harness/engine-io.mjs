// Engine.IO without a client library: plain requests and frames.

import { WebSocket } from 'ws';

import { NAMESPACE } from './socket-io.mjs';
import { within } from './wait.mjs';

/** Separates packets in one body. */
const SEPARATOR = '\x1e';

/** The URL of a bridge's Engine.IO endpoint with query parameters. */
export const engineUrl = (bridge, query) => `${bridge.url}/socket.io/?${new URLSearchParams(query)}`;

/** Makes a request; returns the whole response. */
export async function ask(url, options = {}) {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000), ...options });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/** A session over long-polling. */
export class Polling {
  #waiting = [];
  #isPinged = false;

  static async open(bridge, headers = {}) {
    const session = new Polling();
    session.bridge = bridge;
    session.headers = headers;
    const { body } = await ask(engineUrl(bridge, { EIO: 4, transport: 'polling' }), { headers });
    session.handshake = JSON.parse(body.slice(1));
    return session;
  }

  get url() {
    return this.urlOver('polling');
  }

  urlOver(transport) {
    return engineUrl(this.bridge, { EIO: 4, transport, sid: this.handshake.sid });
  }

  get() {
    return ask(this.url, { headers: this.headers });
  }

  /** Sends packets in one body. */
  post(...packets) {
    return ask(this.url, { method: 'POST', headers: this.headers, body: packets.join(SEPARATOR) });
  }

  /** The packets of one poll, without pings, which this method answers. */
  async poll() {
    const { status, body } = await this.get();
    if (status !== 200) throw new Error(`a poll is answered with ${status} ${body}`);
    const packets = body.split(SEPARATOR);
    if (packets.includes('2')) {
      this.#isPinged = true;
      await this.post('3');
    }
    return packets.filter((packet) => packet !== '2');
  }

  /** Polls until a packet fits; keeps other packets for later calls. */
  async next(fits) {
    for (;;) {
      const at = this.#waiting.findIndex(fits);
      if (at >= 0) return this.#waiting.splice(at, 1)[0];
      this.#waiting.push(...(await this.poll()));
    }
  }

  /** Reads the first ping, which comes early: until the next one, polls wait. */
  async readFirstPing() {
    while (!this.#isPinged) this.#waiting.push(...(await this.poll()));
    return this;
  }

  /** Connects to the namespace. */
  async connect(token) {
    await this.post(`40${NAMESPACE},${JSON.stringify({ token })}`);
    await this.next((packet) => packet.startsWith(`40${NAMESPACE},`));
    return this;
  }

  /** Sends an event and returns its ack. */
  async request(id, ...event) {
    await this.post(`42${NAMESPACE},${id}${JSON.stringify(event)}`);
    const head = `43${NAMESPACE},${id}`;
    return JSON.parse((await this.next((packet) => packet.startsWith(head))).slice(head.length))[0];
  }
}

/** A WebSocket and the frames that arrive on it, in order. */
export class Frames {
  /** Every text frame so far. */
  all = [];
  #read = 0;
  #wake = new Set();
  #isPonging;

  /** `pongs`: whether to answer pings and leave them out of the frames. */
  constructor(url, { pongs = true, headers = {} } = {}) {
    this.#isPonging = pongs;
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
    this.socket.on('error', () => {});
    this.socket.on('message', (bytes) => this.#take(bytes.toString()));
    this.ended = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.hasEnded = true;
        resolve({ code, reason: reason.toString() });
        for (const wake of this.#wake) wake();
      });
    });
    // A connection that closes right after its upgrade gets a response, too.
    this.answer = new Promise((resolve) => {
      this.socket.once('upgrade', ({ statusCode }) => resolve({ status: statusCode }));
      this.socket.once('unexpected-response', async (_, response) => {
        const body = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode, headers: response.headers, body });
        this.socket.terminate();
      });
    });
    this.opened = new Promise((resolve) => this.socket.once('open', resolve));
  }

  /** Opens a session on a WebSocket and reads the handshake. */
  static async open(bridge, options = {}) {
    const frames = new Frames(engineUrl(bridge, { EIO: 4, transport: 'websocket' }), options);
    frames.handshake = JSON.parse((await frames.next()).slice(1));
    return frames;
  }

  #take(frame) {
    if (frame === '2' && this.#isPonging) return this.socket.send('3');
    this.all.push(frame);
    for (const wake of this.#wake) wake();
  }

  /** Waits for the next frame that fits; skips earlier frames. */
  async next(fits = () => true) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        while (this.#read < this.all.length) {
          const frame = this.all[this.#read];
          this.#read += 1;
          if (fits(frame)) {
            this.#wake.delete(look);
            return resolve(frame);
          }
        }
        if (this.hasEnded) reject(new Error(`closed, after ${JSON.stringify(this.all)}`));
      };
      this.#wake.add(look);
      look();
    });
    try {
      return await within(found, () => `a frame; so far: ${JSON.stringify(this.all)}`);
    } finally {
      this.#wake.delete(look);
    }
  }

  get closed() {
    return within(this.ended, () => `the end of a WebSocket; so far: ${JSON.stringify(this.all)}`);
  }

  /** Sends frames as soon as the WebSocket is open. */
  async send(...frames) {
    await within(this.opened, 'a WebSocket is open');
    for (const frame of frames) this.socket.send(frame);
  }

  /** Connects to the namespace. */
  async connect(token) {
    await this.send(`40${NAMESPACE},${JSON.stringify({ token })}`);
    await this.next((frame) => frame.startsWith(`40${NAMESPACE},`));
    return this;
  }

  /** Sends an event and returns its ack. */
  async request(id, ...event) {
    await this.send(`42${NAMESPACE},${id}${JSON.stringify(event)}`);
    const head = `43${NAMESPACE},${id}`;
    return JSON.parse((await this.next((frame) => frame.startsWith(head))).slice(head.length))[0];
  }
}
