import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness } from '../harness/harness.mjs';
import { nameOf, tokenFor } from '../harness/tokens.mjs';

const WATCHERS = 100;
const GROUP = 10;
const BURST = 20;
const INTERVAL_MS = 3000;
/** How often a socket is refused before it gives up, and how often it tries at most. */
const REFUSALS = 20;
const ATTEMPTS = 500;
const MEMBERS = 'room:participantsChanged';

/** What the slow member reads per pause: a megabit per second. */
const SLOW_BYTES = 12_500;
const SLOW_PAUSE_MS = 100;

describe('join floods', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    // Sockets may send faster than anybody may enter, so the limit of entering is the one that holds.
    const flags = ['--events-per-second', '1000', '--events-per-second-per-user', '4000'];
    harness = await Harness.start({ bridges: 2, flags });
  });
  after(() => harness?.stop());

  /** Members of a room over both bridges. They enter in groups, because a busy machine refuses a hundred at once. */
  async function watch(room, count) {
    const members = [];
    while (members.length < count) {
      const group = Array.from({ length: Math.min(GROUP, count - members.length) }, async (_, i) => {
        const member = await harness.webSocket(`watcher-${members.length + i}`, { bridge: i % 2 });
        await member.enter(room);
        return member;
      });
      members.push(...(await Promise.all(group)));
    }
    return members;
  }

  /** Waits until the others have got all earlier events: one more user enters, and they get that event. */
  async function flushEvents(user, room, others) {
    const member = await harness.webSocket(user);
    await member.enter(room);
    await Promise.all(others.map((other) => other.next(MEMBERS, entered(user))));
    return member;
  }

  /** Joins and leaves without a pause. Returns how many joins succeeded. */
  async function flood(member, room) {
    const counts = { ok: 0, RATE_LIMITED: 0, ALREADY_JOINED: 0 };
    for (let i = 0; i < ATTEMPTS && counts.RATE_LIMITED < REFUSALS; i += 1) {
      const { success, code = 'ok' } = await member.join(room);
      assert.ok(code in counts, code);
      counts[code] += 1;
      if (success) assert.equal((await member.leave()).success, true, 'a leave is never refused');
    }
    assert.equal(counts.RATE_LIMITED, REFUSALS);
    return counts.ok;
  }

  const attendance = async (room) => (await (await harness.api('GET', `/rooms/${room}/attendance`)).json()).attendees;

  /** The events since a length of the log, and their bytes. */
  const received = (watcher, from) => {
    const events = watcher.log.slice(from);
    return { events, bytes: JSON.stringify(events).length };
  };

  /** Makes a client read slowly from now on. */
  function readSlowly({ socket }) {
    const stream = socket._socket;
    let quota = SLOW_BYTES;
    const emit = stream.emit;
    stream.emit = function (event, chunk, ...rest) {
      if (event === 'data') {
        quota -= chunk.length;
        if (quota <= 0) stream.pause();
      }
      return emit.call(this, event, chunk, ...rest);
    };
    const timer = setInterval(() => {
      quota = Math.min(SLOW_BYTES, quota + SLOW_BYTES);
      if (quota > 0) stream.resume();
    }, SLOW_PAUSE_MS);
    socket.once('close', () => clearInterval(timer));
  }

  test('a member who joins and leaves without end costs the others little, over several sockets and bridges', async (t) => {
    const room = await harness.room();
    const watchers = await watch(room, WATCHERS);
    readSlowly(watchers[0]);
    for (let i = 0; i < 10; i += 1) {
      const student = await harness.webSocket(`student-${i}`, { bridge: i % 2 });
      await student.enter(room);
      await student.leave();
    }
    await flushEvents('first', room, watchers);
    const from = watchers.map(({ log }) => log.length);
    const students = async () => (await attendance(room)).filter(({ userId }) => userId.startsWith('student'));
    const before = await students();
    assert.equal(before.length, 10);

    const sockets = await Promise.all([0, 1, 0, 1].map((bridge) => harness.webSocket('mallory', { bridge })));
    const began = await harness.redis.now();
    const floods = Promise.all(sockets.map((socket) => flood(socket, room)));
    for (let i = 0; i < 5; i += 1) {
      const kim = await harness.webSocket(`kim-${i}`, { bridge: i % 2 });
      assert.equal((await kim.enter(room)).count >= WATCHERS, true);
      await kim.leave();
    }
    const successes = (await floods).reduce((sum, count) => sum + count);
    const most = BURST + Math.ceil(((await harness.redis.now()) - began) / INTERVAL_MS);
    assert.ok(successes >= BURST && successes <= most, `${successes} of ${most} entries`);
    await flushEvents('last', room, watchers);

    const list = JSON.stringify(watchers[1].log.findLast(({ data }) => data.members).data).length;
    for (const [i, watcher] of watchers.entries()) {
      const { events, bytes } = received(watcher, from[i]);
      const named = events.filter(({ data }) => data.change?.users.some(({ userId }) => userId === 'mallory'));
      assert.ok(named.length <= 2 * successes, `${named.length} events about ${successes} entries`);
      assert.ok(bytes <= (2 * successes + 12) * (list + 1000), `${bytes} bytes, ${list} for a list`);
    }
    harness.assertNoGaps();
    assert.equal(watchers[0].socket.readyState, 1, 'a slow reader stays');

    assert.deepEqual(await students(), before, 'the stays of others are kept');
    const mallory = (await attendance(room)).find(({ userId }) => userId === 'mallory');
    assert.deepEqual([mallory.stays.length, mallory.drops], [1, successes - 1]);
    const { events, bytes } = received(watchers[1], from[1]);
    const lists = events.filter(({ data }) => data.members).length;
    t.diagnostic(
      `${successes} joins in a room of ${WATCHERS}: ${events.length} events with ${lists} lists for a watcher, ${bytes} bytes`,
    );
  });

  test('a member who drops and comes back again and again is never refused', async () => {
    const room = await harness.room();
    const [lea] = await watch(room, 1);
    let mallory = await harness.webSocket('mallory', { bridge: 0 });
    await mallory.enter(room);
    for (let i = 0; i < BURST + 5; i += 1) {
      const lost = lea.next('room:participantReconnecting');
      mallory.terminate();
      await lost;
      mallory = await harness.webSocket('mallory', { bridge: i % 2 });
      assert.equal((await mallory.enter(room)).recovered, true);
    }
    harness.assertNoGaps();
  });

  test('new names are limited like entries, and a refused token changes nothing', async () => {
    const room = await harness.room();
    const [lea] = await watch(room, 1);
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(room);
    const codes = [];
    for (let i = 0; i < BURST + 10; i += 1) {
      const token = await tokenFor('kim', { claims: { username: `Kim ${i}` } });
      const { success, code } = await kim.request('auth:refresh', { token });
      codes.push(success ? 'ok' : code);
    }
    assert.deepEqual(new Set(codes), new Set(['ok', 'RATE_LIMITED']));
    assert.ok(codes.indexOf('RATE_LIMITED') >= BURST - 1, 'the entry and the names count together');
    const ack = await kim.enter(room);
    const { userName } = ack.members.find(({ userId }) => userId === 'kim');
    assert.equal(userName, `Kim ${codes.lastIndexOf('ok')}`);
    await flushEvents('ann', room, [lea]);
    const names = lea.log.flatMap(({ data }) => (data.change?.type === 'updated' ? data.change.users : []));
    assert.equal(names.at(-1).userName, userName);
    assert.equal(nameOf('ann'), lea.log.at(-1).data.change.users[0].userName);
    harness.assertNoGaps();
  });
});
