// A primary of Redis and its replica behind one name. A real Sentinel lets the replica take over.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClient } from 'redis';

import { Child } from './child.mjs';
import { listen, reservePort } from './ports.mjs';
import { until } from './wait.mjs';

const NAME = 'rollcall';

/** A server, and a connection of the test to it. */
class Server {
  static async start(args, ready = /Ready to accept connections/) {
    const server = new Server();
    server.port = await reservePort();
    server.child = new Child('redis-server', [...args, '--port', server.port, '--bind', '127.0.0.1']);
    await server.child.line(ready);
    server.client = createClient({ socket: { host: '127.0.0.1', port: server.port } });
    // The client reconnects by itself, and each command reports its own error.
    server.client.on('error', () => {});
    await server.client.connect();
    return server;
  }

  async replication() {
    const lines = (await this.client.info('replication')).split('\r\n');
    return Object.fromEntries(lines.map((line) => line.split(':')));
  }

  /** What the server is. Sentinel closes all connections to a server whose role it changes, and an answer may be lost. */
  async role() {
    const { role } = await this.replication().catch(() => ({}));
    return role;
  }

  async stop() {
    this.client.destroy();
    await this.child.kill('SIGKILL');
  }
}

/** Stands in for the `Redis` of other suites. */
export class FailoverPair {
  /** Of connections through the name. */
  #sockets = new Set();
  /** While set, nothing passes through the name. */
  #isHeld = false;

  static async start() {
    const pair = new FailoverPair();
    try {
      await pair.#start();
    } catch (error) {
      await pair.stop();
      throw error;
    }
    return pair;
  }

  async #start() {
    this.directory = await mkdtemp(join(tmpdir(), 'rollcall-failover-'));
    this.primary = await this.#startServer([]);
    await this.#startReplica();
    this.target = this.primary;
    this.name = createServer((socket) => this.#forward(socket));
    await listen(this.name);
    const configuration = join(this.directory, 'sentinel.conf');
    const monitor = `sentinel monitor ${NAME} 127.0.0.1 ${this.primary.port} 1`;
    await writeFile(configuration, `${monitor}\nsentinel down-after-milliseconds ${NAME} 500\n`);
    this.sentinel = await Server.start([configuration, '--sentinel'], /\+monitor master/);
    await this.#knowReplica();
  }

  #startServer(args) {
    const plain = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0', '--dir', this.directory];
    return Server.start([...plain, ...args]);
  }

  async #startReplica() {
    this.replica = await this.#startServer(['--replicaof', `127.0.0.1 ${this.primary.port}`]);
    const isUp = async () => (await this.replica.replication()).master_link_status === 'up';
    await until(isUp, 'the replica has the data');
  }

  /** Waits until Sentinel would let this replica take over. */
  #knowReplica() {
    const isKnown = async () => {
      const replicas = await this.sentinel.client.sendCommand(['SENTINEL', 'REPLICAS', NAME]);
      return JSON.stringify(replicas).includes(`:${this.replica.port}"`);
    };
    return until(isKnown, 'Sentinel knows the replica', 30_000);
  }

  get address() {
    return `127.0.0.1:${this.name.address().port}`;
  }

  get client() {
    return this.primary.client;
  }

  async now() {
    const [seconds, microseconds] = await this.client.sendCommand(['TIME']);
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  #forward(socket) {
    if (this.#isHeld) return socket.destroy();
    const server = connect(this.target.port, '127.0.0.1');
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ]) {
      this.#sockets.add(from);
      from.on('data', (bytes) => this.#isHeld || to.write(bytes));
      from.on('error', () => {});
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  /** Kills the primary, once, when the replica has all that it ran. Whatever is under way gets no reply. Sentinel notices. */
  async killPrimary() {
    this.#isHeld = true;
    let equal = 0;
    // The second look comes after everything that reached the primary before the first one.
    const isReplicated = async () => {
      const [own, other] = [await this.primary.replication(), await this.replica.replication()];
      equal = own.master_repl_offset === other.master_repl_offset ? equal + 1 : 0;
      return equal === 2;
    };
    await until(isReplicated, 'the replica has caught up');
    await this.primary.stop();
    await until(async () => (await this.replica.role()) === 'master', 'Sentinel promotes the replica', 30_000);
    this.primary = this.replica;
    for (const socket of this.#sockets) socket.destroy();
    this.target = this.primary;
    this.#isHeld = false;
    // Sentinel would undo what it did not order, such as `handOver`.
    await this.sentinel.stop();
    await this.#startReplica();
  }

  /** Lets the replica take over. The name still leads to the former primary, and connections stay there. */
  async handOver() {
    await this.primary.client.sendCommand(['FAILOVER']);
    const isOver = async () => (await this.replica.role()) === 'master' && (await this.primary.role()) === 'slave';
    await until(isOver, 'the replica has taken over');
    [this.primary, this.replica] = [this.replica, this.primary];
  }

  /** Lets the name lead to the primary. Earlier connections stay. */
  moveName() {
    this.target = this.primary;
  }

  async stop() {
    this.name?.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.sentinel, this.primary, this.replica]) await server?.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
