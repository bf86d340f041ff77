// A load balancer between clients and bridges that sees bytes: it moves to another bridge, cuts connections, and loses
// everything without telling anybody.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { listen } from './ports.mjs';

export class Balancer {
  /** Whether new connections are refused. */
  isDown = false;
  #pairs = new Set();

  /** `bridge`: where new connections go to. */
  static async start(bridge) {
    const balancer = new Balancer();
    balancer.bridge = bridge;
    balancer.server = createServer((client) => balancer.#take(client));
    await listen(balancer.server);
    return balancer;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Destroys all connections. */
  cut() {
    for (const [client, upstream] of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  /** From now on, no byte of the present connections arrives in either direction, and nobody learns of it. */
  silence() {
    for (const pair of this.#pairs) {
      for (const socket of pair) socket.removeAllListeners('data').removeAllListeners('close').resume();
    }
  }

  #take(client) {
    if (this.isDown) return client.destroy();
    const [host, port] = this.bridge.address.split(':');
    const upstream = connect(Number(port), host);
    const pair = [client, upstream];
    this.#pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()]) {
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('data', (bytes) => to.writable && to.write(bytes));
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroySoon();
      });
    }
  }

  async stop() {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }
}
