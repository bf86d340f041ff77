import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { scrape } from '../harness/metrics.mjs';

const CROWD = 100;
const MEMBERS = 'room:participantsChanged';

describe('event coalescing', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2, metrics: true });
  });
  after(() => harness?.stop());

  /** Connected clients in no room, spread over both bridges and both transports. */
  const crowd = (name) =>
    Promise.all(
      Array.from({ length: CROWD }, (_, i) =>
        harness.connect(TRANSPORTS[i % 2], `${name}-${i}`, { bridge: (i >> 1) % 2 }),
      ),
    );

  const usersOf = (log, type) =>
    log
      .filter(({ event, data }) => event === MEMBERS && data.change.type === type)
      .flatMap(({ data }) => data.change.users.map(({ userId }) => userId));

  const merged = async () => {
    const counts = await Promise.all(harness.bridges.map(async (bridge) => (await scrape(bridge)).events_merged_total));
    return counts.reduce((sum, count) => sum + count);
  };

  test('a hundred users who join and leave at once cause few events, in order and without a gap', async (t) => {
    const room = await harness.room();
    const watchers = await Promise.all(
      TRANSPORTS.map((transport, i) => harness.connect(transport, `watcher-${i}`, { bridge: i })),
    );
    for (const watcher of watchers) await watcher.enter(room);
    const members = await crowd('student');
    const students = members.map(({ user }) => user).sort();
    const before = await merged();

    await Promise.all(members.map((member) => member.enter(room)));
    await flushEvents(await harness.webSocket('late'), room, [...watchers, ...members]);
    for (const watcher of watchers) {
      const came = usersOf(watcher.log, 'entered').filter((user) => user.startsWith('student'));
      assert.deepEqual([...came].sort(), students, 'each user once');
      const { data } = watcher.log.findLast(({ event }) => event === MEMBERS);
      const listed = data.members.map(({ userId }) => userId).filter((user) => user.startsWith('student'));
      assert.deepEqual(listed, came, 'in the order of the joins');
    }

    await Promise.all(members.map((member) => member.leave()));
    await flushEvents(await harness.webSocket('later'), room, watchers);
    for (const watcher of watchers) assert.deepEqual(usersOf(watcher.log, 'left').sort(), students);

    harness.assertNoGaps();
    const coalesced = (await merged()) - before;
    const counts = watchers.map((watcher) => watcher.count(MEMBERS));
    for (const count of counts) assert.ok(count < CROWD, `${count} events for ${2 * CROWD} changes`);
    assert.ok(coalesced > 0);
    const kib = Math.round(JSON.stringify(watchers[0].log).length / 1024);
    t.diagnostic(
      `${2 * CROWD} changes: ${counts.join(' and ')} events for two observers, ${kib} KiB for one of them; ${coalesced} merged`,
    );
  });

  /** Waits until the others have got all earlier events: one more user enters, and they get that event. */
  async function flushEvents(member, room, others) {
    await member.enter(room);
    await Promise.all(others.map((other) => other.next(MEMBERS, entered(member.user))));
  }

  test('events of a busy room do not delay a single event of another room', async () => {
    const [busy, calm] = [await harness.room(), await harness.room()];
    const lea = await harness.webSocket('lea');
    await lea.enter(calm);
    const members = await crowd('guest');
    const entering = Promise.all(members.map((member) => member.enter(busy)));
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await kim.enter(calm);
    const { firstSeq, change } = await lea.next(MEMBERS);
    assert.deepEqual([firstSeq, change.users.map(({ userId }) => userId)], [undefined, ['kim']]);
    await entering;
    harness.assertNoGaps();
  });
});
