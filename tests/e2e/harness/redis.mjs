// A Redis server for one suite, with a clock that tests can move. Rooms use that clock.

import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClient } from 'redis';

import { Child } from './child.mjs';
import { reservePort } from './ports.mjs';
import { until } from './wait.mjs';

const FAKETIME = process.env.ROLLCALL_FAKETIME ?? '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** The first command of each sweep, which looks at all shards. */
const SWEEP = /" "16" "rollcall:\{0\}:deadlines"/;

/** Background commands: the test's own, those within scripts, the sweep's, the heartbeat's with its signal, and
    subscribers' pings. */
const BACKGROUND = /"ECHO"|\[0 lua\]|\\"limit\\":|\\"isLeaving\\":|"rollcall:events:\\t|"PING"/i;

/** A disk that is busy delays the log of a Redis that keeps its data, and one that is killed then would lose what it has
    acknowledged. In memory, the log is never late. */
const MEMORY = '/dev/shm';

/** The key in which `save` keeps its copy. */
const SAVED = 'saved-by-the-test';

export class Redis {
  #aheadMs = 0;

  static async start({ persistent = false } = {}) {
    const redis = new Redis();
    redis.persistent = persistent;
    redis.directory = await mkdtemp(join(persistent ? MEMORY : tmpdir(), 'rollcall-redis-'));
    redis.clockFile = join(redis.directory, 'clock');
    redis.port = await reservePort();
    try {
      await redis.#writeClock();
      await redis.#launch();
      redis.client = createClient({ socket: { host: '127.0.0.1', port: redis.port } });
      // The client reconnects by itself, and each command reports its own error.
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
    const keeps = this.persistent ? ['yes', '--appendfsync', 'always'] : ['no'];
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.directory];
    this.child = new Child('redis-server', [...args, '--save', '', '--appendonly', ...keeps], {
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

  /** Renames a new file, so that Redis never reads a partial one. */
  async #writeClock() {
    await writeFile(`${this.clockFile}.new`, `+${this.#aheadMs / 1000}`);
    await rename(`${this.clockFile}.new`, this.clockFile);
  }

  /** Moves the clock forward. The next sweep, within a second, settles what is due by then. */
  async advance(ms) {
    this.#aheadMs += ms;
    await this.#writeClock();
  }

  /** The time by this Redis's clock, in milliseconds since 1970. */
  async now() {
    const [seconds, microseconds] = await this.client.sendCommand(['TIME']);
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /** A list that grows with every message to a room's channel from now on. */
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

  /** All keys with their contents, for comparisons. */
  async contents() {
    const keys = (await this.client.keys('*')).sort();
    // DUMP works for keys of every type.
    const dumps = keys.map((key) => this.client.sendCommand(['DUMP', key], { typeMapping: { 36: Buffer } }));
    return Object.fromEntries(
      await Promise.all(dumps.map(async (dump, i) => [keys[i], (await dump)?.toString('hex')])),
    );
  }

  /** The commands that Redis gets meanwhile, without background commands. */
  async commandsDuring(doSomething) {
    const monitor = this.client.duplicate();
    monitor.on('error', () => {});
    await monitor.connect();
    const commands = [];
    await monitor.monitor((line) => commands.push(line));
    try {
      await doSomething();
      // The monitor reports commands in order, so this one follows all earlier ones.
      const mark = `mark-${Math.random()}`;
      await this.client.echo(mark);
      await until(() => commands.some((line) => line.includes(mark)), 'the monitor has caught up');
    } finally {
      monitor.destroy();
    }
    return commands.filter((line) => !BACKGROUND.test(line) && !SWEEP.test(line));
  }

  /** Waits until a sweep that started after this call has finished. */
  async swept() {
    const monitor = this.client.duplicate();
    monitor.on('error', () => {});
    await monitor.connect();
    let sweeps = 0;
    await monitor.monitor((line) => {
      sweeps += SWEEP.test(line);
    });
    // One bridge sweeps, again and again.
    await until(() => sweeps >= 2, 'a sweep has finished');
    monitor.destroy();
  }

  /** Suspends the process; connections stay open. */
  async freeze() {
    await this.child.kill('SIGSTOP');
  }

  async thaw() {
    await this.child.kill('SIGCONT');
  }

  /** Saves all keys for `restore`. */
  async save() {
    await this.client.eval(
      `for _, key in ipairs(redis.call('KEYS', '*')) do
         redis.call('HSET', KEYS[1], key, redis.call('PTTL', key) .. ' ' .. redis.call('DUMP', key))
       end`,
      { keys: [SAVED] },
    );
  }

  /** Restores all saved keys, as after a crash that lost the later writes. */
  async restore() {
    await this.client.eval(
      `local kept = redis.call('HGETALL', KEYS[1])
       redis.call('FLUSHDB')
       for at = 1, #kept, 2 do
         local ttl, dump = string.match(kept[at + 1], '^(%-?%d+) (.*)$')
         redis.call('RESTORE', kept[at], math.max(tonumber(ttl), 0), dump)
       end`,
      { keys: [SAVED] },
    );
  }

  /** Kills the process. */
  async crash() {
    await this.child.kill('SIGKILL');
  }

  /** Starts the server again on the same port after a crash. */
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
