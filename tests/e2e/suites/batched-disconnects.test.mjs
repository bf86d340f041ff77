import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';
import { scrape } from '../harness/metrics.mjs';
import { AppProxy, HOLD, LOSE, PASS } from '../harness/proxy.mjs';
import { until } from '../harness/wait.mjs';

const DISCONNECT = '/events/disconnect';
const BATCH = 'application/cloudevents-batch+json';
const MEMBERS = 20;
const ROOMS = 25;
/** Three of them carry disconnects: two with a permit, and one that is exempt. */
const MAX_CALLS = 5;

describe('batched disconnects', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    // The first bridge runs the app; the second one calls the app through the proxy.
    harness = await Harness.start();
    proxy = await AppProxy.start(harness.appUrl);
    const flags = ['--drain-ms', '0', '--max-calls', String(MAX_CALLS), '--max-joins', '1'];
    harness.bridges.push(await Bridge.start({ redis: harness.redis, app: proxy.url, flags, metrics: true }));
  });
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  /** A room with members. `events` grows with what the app publishes from now on. */
  async function full() {
    const room = await harness.room();
    const members = [];
    for (let n = 0; n < MEMBERS; n += 1) {
      members.push(await harness.webSocket(`member-${n}`, { bridge: 1 }));
      await members[n].enter(room);
    }
    return { room, members, events: await harness.redis.published(room) };
  }

  const pendingDisconnects = async () => (await scrape(harness.bridges[1])).disconnects_waiting;
  const statesIn = async (room) => {
    const { members } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    return members.map(({ state }) => state);
  };
  const reconnectingIn = (events) => events.filter(({ event }) => event === 'room:participantReconnecting');

  test('a single disconnect is sent at once, as a single event', async () => {
    const [kim, lea] = [await harness.webSocket('kim', { bridge: 1 }), await harness.webSocket('lea', { bridge: 1 })];
    const room = await harness.room();
    for (const member of [kim, lea]) await member.enter(room);
    const from = proxy.to(DISCONNECT).length;
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const calls = proxy.to(DISCONNECT).slice(from);
    assert.equal(calls.length, 1);
    assert.equal(calls[0].headers['ce-type'], 'rollcall.disconnect');
    assert.deepEqual([calls[0].body.type, calls[0].body.userId], ['disconnect', 'kim']);
    await lea.leave();
  });

  test('a client that comes back while its disconnect is under way is not refused', async () => {
    const [kim, lea] = [await harness.webSocket('kim', { bridge: 1 }), await harness.webSocket('lea', { bridge: 1 })];
    const room = await harness.room();
    for (const member of [lea, kim]) await member.enter(room);
    const from = proxy.to(DISCONNECT).length;
    proxy.does = ({ path }) => (path === DISCONNECT ? HOLD : PASS);
    kim.terminate();
    await until(() => proxy.to(DISCONNECT).length > from, 'the disconnect is held');
    const back = await harness.webSocket('kim', { bridge: 1 });
    // Longer than a join takes that does not wait.
    setTimeout(() => {
      proxy.does = () => PASS;
      proxy.release();
    }, 200);
    assert.equal((await back.enter(room)).recovered, true);
    for (const member of [back, lea]) await member.leave();
  });

  test('disconnects during a call share a batch, and a batch that is sent again has no further effect', async () => {
    const { room, members, events } = await full();
    const from = proxy.to(DISCONNECT).length;
    const calls = () => proxy.to(DISCONNECT).slice(from);
    const idsIn = ({ headers, body }) => (Array.isArray(body) ? body.map(({ id }) => id) : [headers['ce-id']]);
    proxy.does = ({ path }) => (path === DISCONNECT ? HOLD : PASS);
    for (const member of members) member.terminate();
    const waiting = async () => (await scrape(harness.bridges[1])).app_events_waiting;
    const areAll = async () => calls().flatMap(idsIn).length + (await waiting()) === MEMBERS;
    await until(areAll, 'all disconnects are in calls or wait');
    assert.equal(await pendingDisconnects(), MEMBERS);
    let lost;
    proxy.does = (call) => {
      if (lost || call.headers['content-type'] !== BATCH) return PASS;
      lost = call;
      return LOSE;
    };
    proxy.release();
    await until(async () => (await pendingDisconnects()) === 0, 'no disconnect is pending');

    const sent = calls().flatMap(idsIn);
    assert.equal(new Set(sent).size, MEMBERS);
    // Those that found a permit, the rest, and the events whose response was lost.
    assert.ok(calls().length <= MAX_CALLS + 2, `${calls().length} calls`);
    for (const id of idsIn(lost)) assert.equal(sent.filter((other) => other === id).length, 2, 'sent again, once');
    assert.deepEqual(
      await statesIn(room),
      members.map(() => 'reconnecting'),
    );
    assert.equal(reconnectingIn(events).length, MEMBERS, 'each member once');
  });

  test('a bridge that shuts down sends all disconnects in few calls before it exits', async (t) => {
    const rooms = await Promise.all(Array.from({ length: ROOMS }, full));
    const from = proxy.to(DISCONNECT).length;
    const { child } = harness.bridges[1];
    await child.kill('SIGTERM');
    assert.ok(!child.lines.some((line) => line.includes('bridge.unfinished')));
    const calls = proxy.to(DISCONNECT).slice(from);
    const sent = calls.flatMap(({ body }) => (Array.isArray(body) ? body.map(({ data }) => data) : [body]));
    assert.equal(new Set(sent.map(({ entryId }) => entryId)).size, ROOMS * MEMBERS);
    assert.equal(sent.length, ROOMS * MEMBERS, 'each member once');
    assert.ok(calls.length < sent.length / 10, `${calls.length} calls`);
    for (const { room, events } of rooms) {
      assert.deepEqual(await statesIn(room), Array(MEMBERS).fill('reconnecting'));
      await until(() => reconnectingIn(events).length === MEMBERS, 'all events arrive');
    }
    t.diagnostic(`a bridge with ${sent.length} members shut down: ${calls.length} calls`);
  });
});
