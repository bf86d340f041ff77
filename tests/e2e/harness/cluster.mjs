// A Redis Cluster of three nodes, without replicas.

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
  nodes = [];

  static async start() {
    const cluster = new Cluster();
    try {
      for (let index = 0; index < NODES; index += 1) cluster.nodes.push(await startNode(index));
      for (const { client } of cluster.nodes) {
        for (const { port, busPort } of cluster.nodes) {
          await client.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort)]);
        }
      }
      for (const { client } of cluster.nodes) {
        const isReady = async () => {
          const info = await client.sendCommand(['CLUSTER', 'INFO']);
          return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${NODES}`);
        };
        await until(isReady, 'a node serves its slots', 30_000);
      }
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
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
    for (const at of [to, node, ...this.nodes]) await set(at, 'NODE', to.id);
  }

  async stop() {
    await Promise.all(this.nodes.map(stopNode));
  }
}

async function startNode(index) {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-node-'));
  const [port, busPort] = [await reservePort(), await reservePort()];
  const args = ['--port', port, '--cluster-port', busPort, '--bind', '127.0.0.1', '--dir', directory];
  const child = new Child('redis-server', [...args, '--save', '', '--cluster-enabled', 'yes']);
  await child.line(/Ready to accept connections/);
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  client.on('error', () => {});
  await client.connect();
  const [first, next] = [index, index + 1].map((number) => Math.floor((SLOTS * number) / NODES));
  await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(first), String(next - 1)]);
  await client.sendCommand(['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)]);
  return { port, busPort, child, client, directory, id: await client.sendCommand(['CLUSTER', 'MYID']) };
}

async function stopNode({ client, child, directory }) {
  client.destroy();
  await child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
}
