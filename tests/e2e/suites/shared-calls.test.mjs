import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness, HOUR } from '../harness/harness.mjs';
import { scrape } from '../harness/metrics.mjs';
import { AppProxy, HOLD, LOSE, PASS, refuse } from '../harness/proxy.mjs';
import { until } from '../harness/wait.mjs';

const [CONNECT, JOIN, LEAVE] = ['connect', 'join', 'leave'].map((kind) => `/events/${kind}`);
const BATCH = 'application/cloudevents-batch+json';

const MAX_CALLS = 6;
const MAX_JOINS = 2;
/** Permits for calls that carry no disconnects. */
const PERMITS = MAX_CALLS - 2;
/** The most events that a bridge puts into one call. */
const MAX_EVENTS = 32;
const CROWD = 200;
const LEASE_MS = 24 * HOUR;

const isBatch = ({ headers }) => headers['content-type'] === BATCH;

/** The events of a call: {id, …data}. */
const eventsOf = ({ headers, body }) =>
  Array.isArray(body) ? body.map(({ id, data }) => ({ id, ...data })) : [{ id: headers['ce-id'], ...body }];

describe('calls that events share', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    // The first bridge runs the app; the others call the app through the proxy.
    harness = await Harness.start({ variables: { SPIN_VARIABLE_LEASE_MS: String(LEASE_MS) } });
    proxy = await AppProxy.start(harness.appUrl);
    for (const _ of [1, 2]) harness.bridges.push(await slowBridge());
  });
  after(async () => {
    proxy?.release();
    await harness?.stop();
    await proxy?.stop();
  });

  /** A bridge whose calls may be held for long. */
  const slowBridge = () =>
    Bridge.start({
      redis: harness.redis,
      app: proxy.url,
      flags: ['--max-calls', String(MAX_CALLS), '--max-joins', String(MAX_JOINS), '--drain-ms', '0'],
      variables: { ROLLCALL_APP_TIMEOUT_MS: '60000' },
      metrics: true,
    });

  const crowd = (name, count, bridge = 1) =>
    Promise.all(Array.from({ length: count }, (_, n) => harness.webSocket(`${name}-${n}`, { bridge })));

  const waiting = async (bridge) => (await scrape(harness.bridges[bridge])).app_events_waiting;

  /**
   * Holds the calls to a path until this many events are in calls or wait for one. Then `release` forwards the calls
   * as `does` says, and `calls` are those so far.
   */
  async function held(path, count, act, bridge = 1) {
    const from = proxy.to(path).length;
    const calls = () => proxy.to(path).slice(from);
    proxy.does = (call) => (call.path === path ? HOLD : PASS);
    const acks = act();
    const sent = () => calls().flatMap(eventsOf).length;
    await until(async () => sent() + (await waiting(bridge)) === count, 'all events are in calls or wait');
    const release = (does = () => PASS) => {
      proxy.does = does;
      proxy.release();
    };
    return { acks, calls, release };
  }

  /** Does something of which the bridge makes this many events at a slow app. Returns the acks and the calls. */
  async function rush(path, count, act) {
    const { acks, calls, release } = await held(path, count, act);
    release();
    return { acks: await acks, calls: calls() };
  }

  /** Checks that the events went in as few calls as they could. */
  function assertFew(calls, count, permits) {
    const ids = calls.flatMap(eventsOf).map(({ id }) => id);
    assert.equal(new Set(ids).size, count);
    assert.equal(ids.length, count, 'each event once');
    const most = permits + Math.ceil((count - 1) / MAX_EVENTS);
    assert.ok(calls.length <= most, `${calls.length} calls`);
    for (const call of calls) assert.ok(eventsOf(call).length <= MAX_EVENTS);
  }

  const membersOf = async (room) => (await (await harness.api('GET', `/rooms/${room}/members`)).json()).members ?? [];

  /** How often each user entered a room, according to what the app published. */
  const entriesIn = (events) =>
    events
      .filter(({ event, data }) => event === 'room:participantsChanged' && data.change.type === 'entered')
      .flatMap(({ data }) => data.change.users.map(({ userId }) => userId));

  test('two hundred clients who join at once share few calls, and each gets its own ack', async (t) => {
    const [open, listed, small] = [
      await harness.room(),
      await harness.room({ members: ['lea'] }),
      await harness.room({ capacity: 2 }),
    ];
    const members = await crowd('student', CROWD);
    const roomOf = (n) => (n % 40 === 7 ? listed : n % 40 === 8 ? small : open);
    const { acks, calls } = await rush(JOIN, CROWD, () => Promise.all(members.map((it, n) => it.join(roomOf(n)))));
    assertFew(calls, CROWD, MAX_JOINS);
    t.diagnostic(`${CROWD} joins: ${calls.length} calls`);

    const codesIn = (room) => acks.filter((_, n) => roomOf(n) === room).map(({ code }) => code ?? 'ok');
    assert.deepEqual(codesIn(listed), Array(5).fill('NOT_A_MEMBER'));
    assert.deepEqual(codesIn(small).sort(), ['ROOM_FULL', 'ROOM_FULL', 'ROOM_FULL', 'ok', 'ok']);
    const joined = acks.filter((_, n) => roomOf(n) === open);
    assert.deepEqual(new Set(joined.map(({ success }) => success)), new Set([true]));
    assert.equal(new Set(joined.map(({ data }) => data.resumeToken)).size, joined.length);
    assert.equal(joined.filter(({ data }) => data.first).length, 1);
    for (const [n, member] of members.entries()) {
      // Each ack is that of the client's own join.
      if (acks[n].success) assert.ok(acks[n].data.members.some(({ userId }) => userId === member.user));
    }
    assert.equal((await membersOf(open)).length, joined.length);
    harness.assertNoGaps();

    const inside = members.filter((_, n) => acks[n].success);
    const left = await rush(LEAVE, inside.length, () => Promise.all(inside.map((member) => member.leave())));
    assertFew(left.calls, inside.length, PERMITS);
    assert.deepEqual(new Set(left.acks.map(({ success }) => success)), new Set([true]));
    for (const member of members) member.disconnect();
  });

  test('clients who connect at once share calls, and a bad token is refused alone', async () => {
    const count = 40;
    let [clients, stranger] = [];
    const { calls } = await rush(CONNECT, count + 1, async () => {
      clients = await crowd('new', count);
      stranger = harness.client('WebSocket', { bridge: 1, token: 'not-a-token' });
      // A client that is not connected yet gets no ack.
      await Promise.all(clients.map((client) => client.leave()));
      await stranger.closed;
    });
    assertFew(calls, count + 1, PERMITS);
    const room = await harness.room();
    for (const client of clients) await client.enter(room);
    assert.deepEqual(await stranger.closed, { code: 4401, reason: 'TOKEN_INVALID' });
    for (const client of clients) client.disconnect();
  });

  test('a client that is alone gets a call of its own', async () => {
    const from = proxy.seen.length;
    const kim = await harness.webSocket('kim', { bridge: 1 });
    const room = await harness.room();
    for (let n = 0; n < 3; n += 1) {
      await kim.enter(room);
      await kim.leave();
    }
    kim.disconnect();
    const calls = proxy.seen.slice(from).filter(({ path }) => [CONNECT, JOIN, LEAVE].includes(path));
    assert.deepEqual(
      calls.map(({ headers }) => headers['ce-type']),
      ['connect', 'join', 'leave', 'join', 'leave', 'join', 'leave'].map((kind) => `rollcall.${kind}`),
    );
  });

  test('events of a batch whose response is lost are sent again and have no second effect', async () => {
    const count = 20;
    const room = await harness.room();
    const events = await harness.redis.published(room);
    const members = await crowd('again', count);
    const { acks, calls, release } = await held(JOIN, count, () => Promise.all(members.map((it) => it.join(room))));
    const lost = new Set();
    release((call) => {
      if (lost.size > 0 || !isBatch(call)) return PASS;
      for (const { id } of eventsOf(call)) lost.add(id);
      return LOSE;
    });
    for (const ack of await acks) assert.equal(ack.success, true, JSON.stringify(ack));
    const sent = calls().flatMap(eventsOf);
    for (const id of lost) assert.equal(sent.filter((event) => event.id === id).length, 2, 'sent again, once');
    assert.equal((await membersOf(room)).length, count);
    // The first member starts the room, and the others enter it.
    await until(() => entriesIn(events).length >= count - 1, 'all have entered');
    assert.equal(new Set(entriesIn(events)).size, count - 1);
    assert.equal(entriesIn(events).length, count - 1, 'each once');
    await Promise.all(members.map((member) => member.leave()));
    assert.equal((await membersOf(room)).length, 0, 'no ghost');
    for (const member of members) member.disconnect();
  });

  test("a client's own events keep their order, and a client that goes meanwhile harms no other", async () => {
    const count = 20;
    const room = await harness.room();
    const members = await crowd('both', count);
    const [gone, ...others] = members;
    const { acks, release } = await held(JOIN, count, () => {
      const last = gone.join(room);
      last.catch(() => {});
      return Promise.all(others.map((member) => Promise.all([member.join(room), member.leave()])));
    });
    gone.terminate();
    release();
    for (const [join, leave] of await acks) assert.deepEqual([join.success, leave.success], [true, true]);
    const isGone = async () => (await membersOf(room)).every(({ state }) => state === 'reconnecting');
    await until(isGone, 'nobody is present');
    for (const { userId } of await membersOf(room)) assert.equal(userId, gone.user);
    for (const member of others) member.disconnect();
  });

  test('joins of a bridge that is killed leave no ghost', async () => {
    const count = 20;
    const room = await harness.room({ lastsMs: 3 * LEASE_MS });
    const members = await crowd('killed', count, 2);
    const { release } = await held(
      JOIN,
      count,
      () => {
        for (const member of members) member.join(room).catch(() => {});
      },
      2,
    );
    await harness.bridges[2].child.kill('SIGKILL');
    release();
    await until(async () => (await membersOf(room)).length > 0, 'the app gets a join');
    // A longer step would count as a pause of Redis.
    for (let step = 0; step < 4; step += 1) {
      await harness.redis.advance(LEASE_MS / 3);
      await membersOf(room);
    }
    await until(async () => (await membersOf(room)).length === 0, 'nobody is left');
  });

  test('an app that takes no batches gets each event alone', async () => {
    const count = 20;
    const room = await harness.room();
    harness.bridges.push(await slowBridge());
    const bridge = harness.bridges.length - 1;
    const members = await crowd('old', count, bridge);
    const { acks, release } = await held(
      JOIN,
      count,
      () => Promise.all(members.map((member) => member.join(room))),
      bridge,
    );
    let [batches, singles] = [0, 0];
    // An older app expects the headers of a single event.
    release((call) => {
      if (call.path !== JOIN) return PASS;
      batches += isBatch(call) ? 1 : 0;
      singles += isBatch(call) ? 0 : 1;
      return isBatch(call) ? refuse('MALFORMED', 400) : PASS;
    });
    for (const ack of await acks) assert.equal(ack.success, true, JSON.stringify(ack));
    assert.ok(batches > 0 && batches <= MAX_JOINS, `${batches} batches that were under way`);
    assert.equal(singles, count);
    assert.equal((await membersOf(room)).length, count);
    const refused = batches;
    await Promise.all(members.map((member) => member.leave()));
    await Promise.all(members.map((member) => member.enter(room)));
    assert.equal(batches, refused, 'no other batch of joins is tried');
    proxy.does = () => PASS;
    for (const member of members) member.disconnect();
  });
});
