// A proxy between clients and a server that sees bytes: it delays them, and fails WebSockets the way proxies do.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { listen } from './ports.mjs';

const HEAD_END = '\r\n\r\n';

/** What a wire does with a request to upgrade to a WebSocket. */
export const UPGRADES = {
  /** Passes it on, and everything after it. */
  PASS: 'passes the upgrade',
  /** Passes the 101 and nothing that the client sends after it. */
  DEAF: "swallows the client's frames",
  /** Passes the 101 and nothing that the server sends after it. */
  MUTE: "swallows the server's frames",
  /** Passes the 101 and then destroys the connection. */
  CUT: 'destroys the connection after the upgrade',
  /** Answers 502 instead of the server. */
  REFUSE: 'answers the upgrade with 502',
  /** Does not answer. */
  HOLD: 'never answers the upgrade',
};

export class Wire {
  /** Requests so far. */
  requests = 0;
  /** Polls that wait for a response. */
  polls = 0;
  /** Requests to upgrade so far. */
  upgrades = 0;
  /** Whether bytes of the server wait until `release`. */
  holds = false;
  #held = [];
  #sockets = new Set();

  /** `target`: host and port. `upgrades`: what the wire does with upgrades. `delayMs`: delay of bytes in each direction. */
  static async start(target, { upgrades = UPGRADES.PASS, delayMs = 0 } = {}) {
    const wire = new Wire();
    Object.assign(wire, { target, behavior: upgrades, delayMs });
    wire.server = createServer((client) => wire.#take(client));
    await listen(wire.server);
    return wire;
  }

  get address() {
    return `127.0.0.1:${this.server.address().port}`;
  }

  get url() {
    return `http://${this.address}`;
  }

  /** Passes on what the server has sent meanwhile, and everything from now on. */
  release() {
    this.holds = false;
    for (const pass of this.#held.splice(0)) pass();
  }

  #take(client) {
    const [host, port] = this.target.split(':');
    const upstream = connect(Number(port), host);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    }
    let isPolling = false;
    const endPoll = () => {
      if (isPolling) this.polls -= 1;
      isPolling = false;
    };
    let isUpgrading = false;
    let isSwitched = false;
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(text)) {
        this.requests += 1;
      }
      if (/^GET \S+[?&]transport=polling\S*[?&]sid=/.test(text)) {
        isPolling = true;
        this.polls += 1;
      }
      if (/\r\nupgrade: websocket\r\n/i.test(text)) {
        isUpgrading = true;
        this.upgrades += 1;
        if (this.behavior === UPGRADES.HOLD) return;
        if (this.behavior === UPGRADES.REFUSE) {
          client.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close${HEAD_END}`);
          return;
        }
      } else if (isSwitched && this.behavior === UPGRADES.DEAF) return;
      this.#pass(bytes, upstream);
    });
    upstream.on('data', (bytes) => {
      if (this.holds) return this.#held.push(() => this.#pass(bytes, client));
      if (!isSwitched && bytes.toString('latin1').startsWith('HTTP/1.1 ')) endPoll();
      if (isSwitched && this.behavior === UPGRADES.MUTE) return;
      if (!isUpgrading || isSwitched) return this.#pass(bytes, client);
      isSwitched = true;
      const end = bytes.indexOf(HEAD_END) + HEAD_END.length;
      this.#pass(this.behavior === UPGRADES.MUTE ? bytes.subarray(0, end) : bytes, client);
      if (this.behavior === UPGRADES.CUT) {
        client.destroySoon();
        upstream.destroy();
      }
    });
    client.once('close', () => {
      endPoll();
      this.#later(() => upstream.destroy());
    });
    upstream.once('close', () => this.#later(() => client.destroy()));
  }

  #pass(bytes, to) {
    this.#later(() => to.writable && to.write(bytes));
  }

  #later(act) {
    if (this.delayMs > 0) setTimeout(act, this.delayMs);
    else act();
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
