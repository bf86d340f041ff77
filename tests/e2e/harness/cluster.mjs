// A Redis Cluster of three nodes, to which a test may add replicas.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClient } from 'redis';

import { Child } from './child.mjs';
import { reservePort } from './ports.mjs';
import { until } from './wait.mjs';

const NODES = 3;
const SLOTS = 16_384;

export class Cluster {
  /** The primaries. */
  nodes = [];
  #replicas = [];

  static async start() {
    const cluster = new Cluster();
    try {
      for (let index = 0; index < NODES; index += 1) cluster.nodes.push(await startPrimary(index));
      for (const node of cluster.nodes) for (const other of cluster.nodes) await meet(node, other);
      await cluster.#ready();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #ready() {
    const known = this.nodes.length + this.#replicas.length;
    for (const { client } of this.nodes) {
      const isReady = async () => {
        const info = await client.sendCommand(['CLUSTER', 'INFO']);
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${known}`);
      };
      await until(isReady, 'a node serves its slots', 30_000);
    }
  }

  /** One of the nodes. */
  get address() {
    return `127.0.0.1:${this.nodes[0].port}`;
  }

  async now() {
    const [seconds, microseconds] = await this.nodes[0].client.sendCommand(['TIME']);
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /** The node that has a shard, and the number of its slot. */
  async find(shard) {
    const key = `rollcall:{${shard}}:deadlines`;
    const slot = await this.nodes[0].client.sendCommand(['CLUSTER', 'KEYSLOT', key]);
    for (const node of this.nodes) {
      const isHere = node.client.sendCommand(['EXISTS', key]);
      if (
        await isHere.then(
          () => true,
          () => false,
        )
      )
        return { node, slot: String(slot) };
    }
    throw new Error(`no node has shard ${shard}`);
  }

  /** Moves a shard to another node, key by key. `meanwhile` gets the first node, when some keys have left it. */
  async move(shard, meanwhile) {
    const { node, slot } = await this.find(shard);
    const to = this.nodes[(this.nodes.indexOf(node) + 1) % NODES];
    const set = (at, ...words) => at.client.sendCommand(['CLUSTER', 'SETSLOT', slot, ...words]);
    await set(to, 'IMPORTING', node.id);
    await set(node, 'MIGRATING', to.id);
    const moveKeys = async (count) => {
      const keys = await node.client.sendCommand(['CLUSTER', 'GETKEYSINSLOT', slot, String(count)]);
      if (keys.length === 0) return;
      const words = ['MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys];
      await node.client.sendCommand(words);
    };
    await moveKeys(1);
    await meanwhile(node);
    await moveKeys(10_000);
    for (const at of new Set([to, node, ...this.nodes])) await set(at, 'NODE', to.id);
  }

  /** Kills a primary when a new replica has all that it ran, and waits until the replica has taken over. */
  async kill(primary) {
    const replica = await startNode();
    this.#replicas.push(replica);
    for (const node of this.nodes) await meet(replica, node);
    await this.#ready();
    const replicate = () => replica.client.sendCommand(['CLUSTER', 'REPLICATE', primary.id]).catch(() => null);
    await until(replicate, 'the replica knows its primary');
    const isUp = async () => (await replica.client.info('replication')).includes('master_link_status:up');
    await until(isUp, 'the replica has all data');
    await primary.client.sendCommand(['CLIENT', 'PAUSE', '60000', 'WRITE']);
    await until(async () => (await primary.client.wait(1, 1000)) === 1, 'the replica has the last writes');
    this.#replicas.pop();
    this.nodes[this.nodes.indexOf(primary)] = replica;
    await stopNode(primary);
    await until(
      async () => (await replica.client.info('replication')).includes('role:master'),
      'the replica takes over',
    );
    for (const { client } of this.nodes) {
      const isReady = async () => (await client.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok');
      await until(isReady, 'a node serves its slots');
    }
  }

  async stop() {
    await Promise.all([...this.nodes, ...this.#replicas].map(stopNode));
  }
}

const meet = ({ client }, { port, busPort }) =>
  client.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort)]);

async function startPrimary(index) {
  const node = await startNode();
  const [first, next] = [index, index + 1].map((number) => Math.floor((SLOTS * number) / NODES));
  await node.client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(first), String(next - 1)]);
  await node.client.sendCommand(['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)]);
  return node;
}

async function startNode() {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-node-'));
  const [port, busPort] = [await reservePort(), await reservePort()];
  const args = ['--port', port, '--cluster-port', busPort, '--bind', '127.0.0.1', '--dir', directory];
  const replication = ['--repl-diskless-sync-delay', '0', '--cluster-replica-validity-factor', '0'];
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const child = new Child('redis-server', [...args, '--save', '', ...cluster, ...replication]);
  await child.line(/Ready to accept connections/);
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  client.on('error', () => {});
  await client.connect();
  return { port, busPort, child, client, directory, id: await client.sendCommand(['CLUSTER', 'MYID']) };
}

async function stopNode({ client, child, directory }) {
  client.destroy();
  await child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
}
