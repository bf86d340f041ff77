// A Redis server of one's own, whose clock can be moved. Every room goes by that clock.

import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClient } from 'redis';

import { Child } from './child.mjs';
import { reservePort } from './ports.mjs';
import { until } from './wait.mjs';

const FAKETIME = process.env.ROLLCALL_FAKETIME ?? '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** Commands of the test itself, those within scripts, those of the sweep and the heartbeat, and subscribers' pings. */
const OF_THE_HOUSE = /"ECHO"|\[0 lua\]|\\"limit\\":|\\"isLeaving\\":|"PING"/i;

/** Where `remember` keeps what it does. */
const MEMORY = 'what-the-test-remembers';

/** As many as spin.toml says. */
const SHARDS = 16;

export class Redis {
  #aheadMs = 0;

  static async start({ persistent = false } = {}) {
    const redis = new Redis();
    redis.persistent = persistent;
    redis.directory = await mkdtemp(join(tmpdir(), 'rollcall-redis-'));
    redis.clockFile = join(redis.directory, 'clock');
    redis.port = await reservePort();
    try {
      await redis.#writeClock();
      await redis.#launch();
      redis.client = createClient({ socket: { host: '127.0.0.1', port: redis.port } });
      // It reconnects by itself; what a command meets, the command reports.
      redis.client.on('error', () => {});
      await redis.client.connect();
      await redis.#assertOwnProcess();
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  async #launch() {
    const keeps = this.persistent ? 'yes' : 'no';
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.directory];
    this.child = new Child('redis-server', [...args, '--save', '', '--appendonly', keeps], {
      env: {
        ...process.env,
        // The memory allocator calls the clock before libfaketime is ready; libc must be there to answer.
        LD_PRELOAD: `${FAKETIME}:libc.so.6`,
        FAKETIME_TIMESTAMP_FILE: this.clockFile,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      },
    });
    await this.child.line(/Ready to accept connections/);
  }

  /** Fails if the server on the port is not the one that was started. */
  async #assertOwnProcess() {
    const [, pid] = (await this.client.info('server')).match(/process_id:(\d+)/);
    assert.equal(Number(pid), this.child.pid, `process ${pid} answers on ${this.address}`);
  }

  /** By renaming, so that Redis never reads half of it. */
  async #writeClock() {
    await writeFile(`${this.clockFile}.new`, `+${this.#aheadMs / 1000}`);
    await rename(`${this.clockFile}.new`, this.clockFile);
  }

  /** Moves the clock forward. What is due then happens at the next sweep, within a second. */
  async advance(ms) {
    this.#aheadMs += ms;
    await this.#writeClock();
  }

  /** The time by this Redis's clock, in milliseconds since 1970. */
  async now() {
    const [seconds, microseconds] = await this.client.sendCommand(['TIME']);
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /** Everything that is published to a room's channel from now on, as a list that grows. */
  async published(room) {
    const envelopes = [];
    const subscriber = this.client.duplicate();
    subscriber.on('error', () => {});
    await subscriber.connect();
    await subscriber.subscribe(`rollcall:events:${room}`, (message) => envelopes.push(JSON.parse(message)));
    this.subscribers ??= [];
    this.subscribers.push(subscriber);
    return envelopes;
  }

  /** The keys that belong to a room's state, without their shard. */
  async keysOf(room) {
    const keys = await this.client.keys('*');
    return keys.filter((key) => key.endsWith(`:${room}`) && key.startsWith('rollcall:')).sort();
  }

  /** All keys with their contents, to compare. */
  async contents() {
    const keys = (await this.client.keys('*')).sort();
    // As a dump, because keys are of several kinds.
    const dumps = keys.map((key) => this.client.sendCommand(['DUMP', key], { typeMapping: { 36: Buffer } }));
    return Object.fromEntries(
      await Promise.all(dumps.map(async (dump, i) => [keys[i], (await dump)?.toString('hex')])),
    );
  }

  /** Which commands Redis is given meanwhile, but for those that are always under way. */
  async commandsDuring(doSomething) {
    const monitor = this.client.duplicate();
    monitor.on('error', () => {});
    await monitor.connect();
    const commands = [];
    await monitor.monitor((line) => commands.push(line));
    try {
      await doSomething();
      // Commands are seen in order: when this one is, so is everything before it.
      const mark = `mark-${Math.random()}`;
      await this.client.echo(mark);
      await until(() => commands.some((line) => line.includes(mark)), 'the monitor has caught up');
    } finally {
      monitor.destroy();
    }
    return commands.filter((line) => !OF_THE_HOUSE.test(line));
  }

  /** Waits until a sweep that began after this call has gone over the rooms. */
  async swept() {
    const runs = async () => {
      const stats = await this.client.info('commandstats');
      return Number(stats.match(/cmdstat_(?:fcall|evalsha):calls=(\d+)/)?.[1] ?? 0);
    };
    const from = await runs();
    // Each sweep is one run per shard, so twice as many runs hold one that began later.
    await until(async () => (await runs()) >= from + 2 * SHARDS, 'a sweep has gone over the rooms');
  }

  /** Stops answering, without closing a connection. */
  async freeze() {
    await this.child.kill('SIGSTOP');
  }

  async thaw() {
    await this.child.kill('SIGCONT');
  }

  /** Keeps everything as it is now, for `rewind`. */
  async remember() {
    await this.client.eval(
      `for _, key in ipairs(redis.call('KEYS', '*')) do
         redis.call('HSET', KEYS[1], key, redis.call('PTTL', key) .. ' ' .. redis.call('DUMP', key))
       end`,
      { keys: [MEMORY] },
    );
  }

  /** Makes everything as it was, as if what was written since had never reached the disk before a crash. */
  async rewind() {
    await this.client.eval(
      `local kept = redis.call('HGETALL', KEYS[1])
       redis.call('FLUSHDB')
       for at = 1, #kept, 2 do
         local ttl, dump = string.match(kept[at + 1], '^(%-?%d+) (.*)$')
         redis.call('RESTORE', kept[at], math.max(tonumber(ttl), 0), dump)
       end`,
      { keys: [MEMORY] },
    );
  }

  /** Ends like a crash. */
  async crash() {
    await this.child.kill('SIGKILL');
  }

  /** Starts again after a crash, on the same port. */
  async restart() {
    await this.#launch();
    await until(() => this.client.isReady, 'the test is connected to Redis again');
    await this.#assertOwnProcess();
  }

  async stop() {
    for (const client of [...(this.subscribers ?? []), this.client]) client?.destroy();
    await this.child?.kill('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }
}
