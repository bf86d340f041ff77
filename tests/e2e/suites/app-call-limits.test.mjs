import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { changes, scrape } from '../harness/metrics.mjs';
import { AppProxy, HOLD, PASS } from '../harness/proxy.mjs';
import { until } from '../harness/wait.mjs';

const JOIN = '/events/join';
const MAX_CALLS = 12;
const MAX_JOINS = 1;
/** More than two calls hold. */
const CROWD = 70;

/** Leases run out in real time: the suite proves that a rush of joins never delays heartbeats until a lease ends. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '3000',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '10000',
  ROLLCALL_EVENTS_PER_SECOND: '1000',
  ROLLCALL_EVENTS_PER_SECOND_PER_USER: '1000',
};

describe('limits of calls to the app', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    // The first bridge runs the app; the second one calls the app through the proxy.
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

  test('a bridge limits concurrent joins at a slow app, and heartbeats are exempt', async () => {
    const room = await harness.room();
    const members = await crowd('student');
    const heartbeats = () => proxy.calls['/events/heartbeat'];
    const before = heartbeats();
    proxy.peak = { all: 0 };
    proxy.does = ({ path }) => (path === JOIN ? HOLD : PASS);
    const joining = members.map((member) => member.join(room));
    await until(
      () => proxy.peak[JOIN] >= MAX_JOINS && heartbeats() > before + 2,
      'the bridge sends heartbeats meanwhile',
    );
    proxy.does = () => PASS;
    proxy.release();
    const acks = await Promise.all(joining);
    assert.equal(proxy.peak[JOIN], MAX_JOINS, 'joins at once');
    assert.ok(proxy.peak.all <= MAX_CALLS, `${proxy.peak.all} calls at once`);
    assert.equal((await metrics()).lease_losses_total, 0);
    assert.ok(acks.filter(({ success }) => success).length > MAX_JOINS);
    for (const { success, code } of acks) assert.ok(success || code === 'OVERLOADED', code);
    // A refused member has no entry, and may try again.
    for (const [i, member] of members.entries()) if (!acks[i].success) await member.enter(room);
    const { count } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    assert.equal(count, CROWD);
    await Promise.all(members.map((member) => member.leave()));
  });

  test('every client gets an ack when the app does not answer at all', async () => {
    const room = await harness.room();
    const members = await crowd('waiting', 20);
    proxy.delayMs = 60_000;
    const acks = await Promise.all(members.map((member) => member.join(room)));
    proxy.delayMs = 0;
    for (const { success, code } of acks) {
      assert.equal(success, false);
      assert.ok(['UNAVAILABLE', 'OVERLOADED'].includes(code), code);
    }
    await until(async () => (await members[0].join(room)).success, 'the bridge calls the app again');
    for (const member of members.slice(1)) await member.enter(room);
    await Promise.all(members.map((member) => member.leave()));
  });

  test('an open circuit spares an app that is away, and the bridge sends pending disconnects when the circuit closes', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea');
    await lea.enter(room);
    const members = await crowd('loyal', 10);
    for (const member of members) await member.enter(room);
    const visitor = await harness.webSocket('visitor', { bridge: 1 });
    // The ack proves that the bridge has connected the client.
    await visitor.leave();
    proxy.isBroken = true;
    const isOpen = async () => {
      assert.equal((await visitor.join(room)).code, 'UNAVAILABLE');
      return (await metrics())['app_circuit_state open'] === 1;
    };
    await until(isOpen, 'the circuit opens');

    const before = proxy.calls['/events/join'];
    const acks = await Promise.all(Array.from({ length: 15 }, () => visitor.join(room)));
    assert.deepEqual(new Set(acks.map(({ code }) => code)), new Set(['UNAVAILABLE']));
    // At most one trial call, with its retries.
    assert.ok(proxy.calls['/events/join'] - before <= 3, `${proxy.calls['/events/join'] - before} calls`);
    for (const member of members) member.terminate();
    // The visitor's joins may add more: some of them may have reached the app.
    await until(async () => (await metrics()).disconnects_waiting >= members.length, 'the disconnects are pending');

    proxy.isBroken = false;
    await until(async () => (await metrics())['app_circuit_state closed'] === 1, 'the circuit closes');
    await until(async () => (await metrics()).disconnects_waiting === 0, 'no disconnect is pending');
    const state = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    const lost = state.members.filter(({ userId }) => userId.startsWith('loyal'));
    assert.deepEqual([lost.length, ...new Set(lost.map(({ state }) => state))], [members.length, 'reconnecting']);
    await until(async () => (await visitor.join(room)).success, 'others can join');
  });

  test('a bridge sends simultaneous disconnects in few calls', async (t) => {
    const [room, count] = [await harness.room(), 200];
    const lea = await harness.webSocket('watcher');
    await lea.enter(room);
    const members = await crowd('cut', count);
    // One after the other, because two hundred clients that retry at once would starve the app on a busy machine.
    for (const member of members) await until(async () => (await member.join(room)).success, 'the join is admitted');
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

  test('errors that the app reports itself do not open the circuit', async () => {
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(await harness.room());
    await harness.redis.crash();
    const from = await metrics();
    const failures = async () =>
      changes(from, await metrics())['app_call_duration_seconds_count leave UNAVAILABLE'] ?? 0;
    // More failures than would open the circuit if they were timeouts.
    await until(
      async () => {
        assert.equal((await kim.leave()).code, 'UNAVAILABLE');
        return (await failures()) > 12;
      },
      'the app fails again and again',
      30_000,
    );
    assert.equal((await metrics())['app_circuit_state closed'], 1);
    await harness.webSocket('new-client', { bridge: 1 });
  });
});
