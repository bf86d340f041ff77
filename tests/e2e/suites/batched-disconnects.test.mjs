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

describe('batched disconnects', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    // The first bridge runs the app; the second one calls the app through the proxy.
    harness = await Harness.start();
    proxy = await AppProxy.start(harness.appUrl);
    const flags = ['--drain-ms', '0'];
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

  test('disconnects during a call go into the next batch, and a batch that is sent again has no further effect', async () => {
    const { room, members, events } = await full();
    const [first, ...rest] = members;
    const from = proxy.to(DISCONNECT).length;
    proxy.does = ({ path }) => (path === DISCONNECT ? HOLD : PASS);
    first.terminate();
    await until(() => proxy.to(DISCONNECT).length === from + 1, 'the first call is in flight');
    for (const member of rest) member.terminate();
    await until(async () => (await pendingDisconnects()) === MEMBERS, 'the other disconnects are pending');
    let batches = 0;
    proxy.does = ({ headers }) => {
      batches += headers['content-type'] === BATCH ? 1 : 0;
      return batches === 1 ? LOSE : PASS;
    };
    proxy.release();
    await until(async () => (await pendingDisconnects()) === 0, 'no disconnect is pending');

    const [alone, once, again, ...more] = proxy.to(DISCONNECT).slice(from);
    assert.deepEqual([alone.body.userId, more.length], [first.user, 0]);
    const idsIn = ({ body }) => new Set(body.map(({ id }) => id));
    assert.equal(idsIn(once).size, rest.length);
    assert.deepEqual(idsIn(again), idsIn(once));
    assert.notEqual(again.headers['webhook-id'], once.headers['webhook-id']);
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
