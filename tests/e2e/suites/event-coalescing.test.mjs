import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { scrape } from '../harness/metrics.mjs';

const CROWD = 100;
const MEMBERS = 'room:participantsChanged';

describe('bursts', { timeout: 120_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2, metrics: true });
  });
  after(() => harness?.stop());

  /** A crowd over both bridges and both transports, connected and in no room. */
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

  test('a crowd that comes and goes at once is told of in few events, in order and without a gap', async (t) => {
    const room = await harness.room();
    const watchers = await Promise.all(
      TRANSPORTS.map((transport, i) => harness.connect(transport, `watcher-${i}`, { bridge: i })),
    );
    for (const watcher of watchers) await watcher.enter(room);
    const members = await crowd('student');
    const students = members.map(({ user }) => user).sort();
    const before = await merged();

    await Promise.all(members.map((member) => member.enter(room)));
    await hearOf(await harness.webSocket('late'), room, [...watchers, ...members]);
    for (const watcher of watchers) {
      const came = usersOf(watcher.log, 'entered').filter((user) => user.startsWith('student'));
      assert.deepEqual([...came].sort(), students, 'each is told of once');
      const { data } = watcher.log.findLast(({ event }) => event === MEMBERS);
      const listed = data.members.map(({ userId }) => userId).filter((user) => user.startsWith('student'));
      assert.deepEqual(listed, came, 'in the order in which they came');
    }

    await Promise.all(members.map((member) => member.leave()));
    await hearOf(await harness.webSocket('later'), room, watchers);
    for (const watcher of watchers) assert.deepEqual(usersOf(watcher.log, 'left').sort(), students);

    harness.assertNoGaps();
    const spared = (await merged()) - before;
    const told = watchers.map((watcher) => watcher.count(MEMBERS));
    for (const count of told) assert.ok(count < CROWD, `${count} events tell of ${2 * CROWD} changes`);
    assert.ok(spared > 0);
    const kib = Math.round(JSON.stringify(watchers[0].log).length / 1024);
    t.diagnostic(
      `${2 * CROWD} changes: ${told.join(' and ')} events for the two who watch, ${kib} KiB for one of them; ${spared} merged`,
    );
  });

  /** Lets one more enter, and waits until all have been told: whatever happened before has been told, too. */
  async function hearOf(member, room, others) {
    await member.enter(room);
    await Promise.all(others.map((other) => other.next(MEMBERS, entered(member.user))));
  }

  test('a change by itself is not held back by what happens in other rooms', async () => {
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
