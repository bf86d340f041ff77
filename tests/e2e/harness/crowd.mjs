// Strangers that hold connections and never open a session.

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often a stranger acts, and how long it waits before it comes again. */
const INTERVAL_MS = 500;

const HEALTH_CHECK = 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n';

const POLLING = 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\n\r\n';

const WEBSOCKET = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'host: a',
  'connection: upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
  '\r\n',
].join('\r\n');

/** What strangers do on connections: what they send first, and then again and again. */
export const ON_CONNECTIONS = {
  'health checks': [HEALTH_CHECK, HEALTH_CHECK],
  'heads that drip': ['GET /healthz HTTP/1.1\r\nx: ', 'x'],
  silence: ['', ''],
};

/** What strangers do who open sockets and send no token. */
export const ON_SOCKETS = {
  'WebSockets without a token': [WEBSOCKET, ''],
  'polling sessions without a token': [POLLING, ''],
};

/** What strangers do at the app's address who pretend to be bridges. */
export const ON_BODIES = {
  'signed bodies that drip': [
    'POST /events/join HTTP/1.1\r\nhost: a\r\nwebhook-signature: v1,AAAA\r\ncontent-length: 60000\r\n\r\n',
    'x',
  ],
};

const WAYS = { ...ON_CONNECTIONS, ...ON_SOCKETS, ...ON_BODIES };

/** From each of some addresses, `count` connections, each of which comes again when it is closed. */
export class Crowd {
  /** How often the server has closed a connection, or has refused one. */
  closed = 0;
  open = new Set();
  #isOver = false;
  #gone;

  /** `addresses`: those of this machine from which the strangers come. */
  constructor(address, { addresses, count, way }) {
    [this.host, this.port] = address.split(':');
    this.way = WAYS[way];
    const all = addresses.flatMap((address) => Array(count).fill(address));
    this.#gone = Promise.all(all.map((localAddress) => this.#come(localAddress)));
  }

  async #come(localAddress) {
    const [first, next] = this.way;
    while (!this.#isOver) {
      const socket = connect({ host: this.host, port: Number(this.port), localAddress });
      this.open.add(socket);
      socket.on('error', () => {});
      socket.on('connect', () => first && socket.write(first));
      // Without reading, Node.js would not notice the end.
      socket.resume();
      const acting = setInterval(() => next && !socket.connecting && socket.write(next), INTERVAL_MS);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(acting);
      this.open.delete(socket);
      this.closed += 1;
      await sleep(INTERVAL_MS);
    }
  }

  async leave() {
    this.#isOver = true;
    for (const socket of this.open) socket.destroy();
    await this.#gone;
  }
}
