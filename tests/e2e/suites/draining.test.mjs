import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { WebSocket } from 'ws';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';
import { metricsAddress } from '../harness/metrics.mjs';
import { within } from '../harness/wait.mjs';

const DRAIN_MS = 4000;
const CLIENTS = 60;
const WAYS = [
  ['Socket.IO', { transports: ['websocket'] }],
  ['WebSocket', {}],
  ['Socket.IO', { transports: ['polling'] }],
];

describe('draining', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    // The first bridge runs the app and goes on running.
    harness = await Harness.start();
    const flags = ['--drain-ms', String(DRAIN_MS)];
    harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl, flags, metrics: true }));
  });
  after(() => harness?.stop());

  test('a draining bridge closes its clients one by one, and accepts no new connections', async () => {
    const [room, bridge] = [await harness.room(), harness.bridges[1]];
    const watcher = await harness.webSocket('watcher');
    await watcher.enter(room);
    const members = await Promise.all(
      Array.from({ length: CLIENTS }, (_, i) => {
        const [transport, options] = WAYS[i % WAYS.length];
        return harness.connect(transport, `member-${i}`, { bridge: 1, ...options });
      }),
    );
    for (const member of members) await member.enter(room);
    const metrics = await metricsAddress(bridge);

    // Before the signal: the bridge counts from later on.
    const began = performance.now();
    bridge.child.process.kill('SIGTERM');
    const closed = members.map(async (member) => {
      await member.closed;
      return performance.now() - began;
    });
    const delays = await Promise.all(members.map(async (member) => (await member.next('server:draining')).delayMs));
    assert.ok(
      delays.every((delay) => Number.isInteger(delay) && delay >= 0 && delay <= DRAIN_MS),
      delays.join(),
    );
    const halves = [0, 1].map(
      (half) => delays.filter((delay) => Math.floor((2 * delay) / (DRAIN_MS + 1)) === half).length,
    );
    assert.ok(Math.min(...halves) > CLIENTS / 10, `spread out: ${halves}`);

    const ready = await (await fetch(`http://${metrics}/readyz`)).json();
    assert.deepEqual([ready.ready, ready.missing.includes('draining')], [false, true]);
    // A session of another bridge is refused like a new one, so that a proxy asks another bridge.
    for (const query of ['', '&sid=of-another-bridge']) {
      const refused = await fetch(`${bridge.url}/socket.io/?EIO=4&transport=polling${query}`);
      assert.deepEqual(
        [refused.status, refused.headers.get('retry-after'), (await refused.json()).code],
        [503, '1', 'UNAVAILABLE'],
      );
    }
    const socket = new WebSocket(`ws://${bridge.address}/ws`).on('error', () => {});
    const status = new Promise((resolve) =>
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode)),
    );
    assert.equal(await within(status, 'an answer to a WebSocket'), 503);

    // The bridge serves a client until the client's delay is over, over polling too. Here, a delay may be over before the
    // answer to a join.
    const byDelay = members.map((_, i) => i).sort((a, b) => delays[b] - delays[a]);
    const isServed = async (i) => {
      const joined = await members[i].join(room).catch(() => undefined);
      if (!joined) assert.ok(performance.now() - began >= delays[i], `${members[i].user} is closed too early`);
      return joined?.success === true;
    };
    const served = await Promise.all(byDelay.slice(0, 9).map(isServed));
    assert.ok(served.includes(true), 'a draining bridge serves its clients');

    const times = await Promise.all(closed);
    for (const [i, time] of times.entries())
      assert.ok(time >= delays[i], `${members[i].user}: ${time} and not ${delays[i]}`);
    for (const [i, member] of members.entries()) {
      const how = await member.closed;
      // The official client reconnects by itself after these reasons.
      if (WAYS[i % WAYS.length][0] === 'Socket.IO') assert.match(how, /^transport (close|error)$/);
      else assert.deepEqual(how, { code: 1001, reason: 'shutting down' });
    }
    const { code } = await within(bridge.child.ended, 'the exit of the bridge', 60_000);
    assert.equal(code, 0);

    const state = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    const states = state.members.filter(({ userId }) => userId !== 'watcher').map(({ state }) => state);
    assert.deepEqual(states, Array(CLIENTS).fill('reconnecting'), 'no member counts as left');
    harness.assertNoGaps();
  });
});
