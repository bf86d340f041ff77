import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { changes, scrape } from '../harness/metrics.mjs';
import { AppProxy } from '../harness/proxy.mjs';
import { until } from '../harness/wait.mjs';

const MAX_CALLS = 12;
const MAX_JOINS = 5;
const CROWD = 60;

/** Leases are real here: what must never happen is that a rush keeps the heartbeat from the app. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '3000',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '4000',
  ROLLCALL_EVENTS_PER_SECOND: '1000',
  ROLLCALL_EVENTS_PER_SECOND_PER_USER: '1000',
};

describe('calls to the app', { timeout: 180_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    // The first bridge runs the app; the second calls it through the proxy.
    harness = await Harness.start({ variables: VARIABLES });
    proxy = await AppProxy.start(harness.appUrl);
    const flags = ['--max-calls', String(MAX_CALLS), '--max-joins', String(MAX_JOINS)];
    harness.bridges.push(
      await Bridge.start({ redis: harness.redis, app: proxy.url, flags, metrics: true, variables: VARIABLES }),
    );
  });
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  const crowd = (name, count = CROWD) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => harness.connect(TRANSPORTS[i % 2], `${name}-${i}`, { bridge: 1 })),
    );

  const metrics = () => scrape(harness.bridges[1]);

  test('a rush of joins at a slow app is let through a few at a time, and heartbeats pass by', async () => {
    const room = await harness.room();
    const members = await crowd('student');
    const heartbeats = proxy.calls['/events/heartbeat'];
    Object.assign(proxy, { delayMs: 150, peak: { all: 0 } });
    const acks = await Promise.all(members.map((member) => member.join(room)));
    proxy.delayMs = 0;
    assert.ok(proxy.peak['/events/join'] <= MAX_JOINS, `${proxy.peak['/events/join']} joins at once`);
    assert.ok(proxy.peak.all <= MAX_CALLS, `${proxy.peak.all} calls at once`);
    assert.ok(proxy.calls['/events/heartbeat'] > heartbeats, 'the bridge has said that it is there');
    assert.equal((await metrics()).lease_losses_total, 0);
    assert.ok(acks.filter(({ success }) => success).length > MAX_JOINS);
    for (const { success, code } of acks) assert.ok(success || code === 'OVERLOADED', code);
    // Who was refused was never asked for, and may try again.
    for (const [i, member] of members.entries()) if (!acks[i].success) await member.enter(room);
    const { count } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    assert.equal(count, CROWD);
    await Promise.all(members.map((member) => member.leave()));
  });

  test('an app that does not answer at all leaves nobody without an answer', async () => {
    const room = await harness.room();
    const members = await crowd('waiting', 20);
    proxy.delayMs = 60_000;
    const acks = await Promise.all(members.map((member) => member.join(room)));
    proxy.delayMs = 0;
    for (const { success, code } of acks) {
      assert.equal(success, false);
      assert.ok(['UNAVAILABLE', 'OVERLOADED'].includes(code), code);
    }
    await until(async () => (await members[0].join(room)).success, 'the app is asked again');
    for (const member of members.slice(1)) await member.enter(room);
    await Promise.all(members.map((member) => member.leave()));
  });

  test('an app that is away is not asked over and over, and all is told when it is back', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const members = await crowd('loyal', 10);
    for (const member of members) await member.enter(room);
    const visitor = await harness.webSocket('visitor', { bridge: 1 });
    // With an answer, it is let in.
    await visitor.leave();
    proxy.isBroken = true;
    const isOpen = async () => {
      assert.equal((await visitor.join(room)).code, 'UNAVAILABLE');
      return (await metrics())['app_circuit_state open'] === 1;
    };
    await until(isOpen, 'the app is taken for away');

    const before = proxy.calls['/events/join'];
    const acks = await Promise.all(Array.from({ length: 15 }, () => visitor.join(room)));
    assert.deepEqual(new Set(acks.map(({ code }) => code)), new Set(['UNAVAILABLE']));
    // The one that is let through after a pause, at the most, tried three times.
    assert.ok(proxy.calls['/events/join'] - before <= 3, `${proxy.calls['/events/join'] - before} calls`);
    for (const member of members) member.terminate();
    // And the visitor's joins, which may have come through.
    await until(async () => (await metrics()).disconnects_waiting >= members.length, 'the losses wait');

    proxy.isBroken = false;
    await until(async () => (await metrics())['app_circuit_state closed'] === 1, 'the app is back');
    await until(async () => (await metrics()).disconnects_waiting === 0, 'the app has been told');
    const state = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    const lost = state.members.filter(({ userId }) => userId.startsWith('loyal'));
    assert.deepEqual([lost.length, ...new Set(lost.map(({ state }) => state))], [members.length, 'reconnecting']);
    await until(async () => (await visitor.join(room)).success, 'others can enter');
  });

  test('connections that are lost at once are told of in few calls', async (t) => {
    const [room, count] = [await harness.room(), 200];
    const lea = await harness.webSocket('watcher');
    await lea.enter(room);
    const members = await crowd('cut', count);
    await Promise.all(
      members.map((member) => until(async () => (await member.join(room)).success, 'a place is found')),
    );
    const before = proxy.calls['/events/disconnect'] ?? 0;
    for (const member of members) member.terminate();
    const isLost = async () => {
      const { members } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
      return members.filter(({ state }) => state === 'reconnecting').length === count;
    };
    await until(isLost, 'all are reconnecting');
    const calls = proxy.calls['/events/disconnect'] - before;
    assert.ok(calls < count / 4, `${calls} calls`);
    t.diagnostic(`${count} lost connections: ${calls} calls`);
    harness.assertNoGaps();
  });

  test('an app that says itself that a part of it is away is asked on, and who needs no such part is served', async () => {
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(await harness.room());
    await harness.redis.crash();
    const from = await metrics();
    const failures = async () =>
      changes(from, await metrics())['app_call_duration_seconds_count leave UNAVAILABLE'] ?? 0;
    // More than would do if they were silence.
    await until(
      async () => {
        assert.equal((await kim.leave()).code, 'UNAVAILABLE');
        return (await failures()) > 12;
      },
      'the app fails again and again',
      30_000,
    );
    assert.equal((await metrics())['app_circuit_state closed'], 1);
    await harness.webSocket('newcomer', { bridge: 1 });
  });
});
