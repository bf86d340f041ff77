import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { FailoverPair } from '../harness/failover.mjs';
import { changed, entered, Harness } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const VISITORS = 10;
/** A user may enter a room so often at once. */
const ENTRIES = 15;

describe('failover of Redis behind one name', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = new Harness();
    harness.redis = await FailoverPair.start();
    for (let i = 0; i < 2; i += 1) {
      harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.bridges[0]?.appUrl }));
    }
    await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
  });
  after(() => harness?.stop());

  /** Repeats a request while the ack is UNAVAILABLE. */
  const again = (ask) =>
    until(
      async () => {
        const ack = await ask();
        assert.ok(ack.success || ack.code === 'UNAVAILABLE', JSON.stringify(ack));
        return ack.success && ack;
      },
      'a success',
      30_000,
    );

  test('a primary is killed under load, and nothing that was acknowledged is lost or doubled', async (t) => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea', { bridge: 1 });
    await lea.enter(room);
    let isBusy = true;
    let calls = 0;
    const visit = async (number) => {
      for (let visits = 0; ; visits += 1) {
        const user = `visitor-${number}-${Math.floor(visits / ENTRIES)}`;
        const member = await harness.connect(number % 2 ? 'WebSocket' : 'Socket.IO', user, { bridge: number % 2 });
        await again(() => member.join(room));
        calls += 1;
        if (!isBusy) return user;
        await again(() => member.leave());
        calls += 1;
        member.disconnect();
      }
    };
    const visitors = Array.from({ length: VISITORS }, (_, number) => visit(number));
    await until(() => calls > 100, 'the visitors come and go');
    await harness.redis.killPrimary();
    const before = calls;
    await until(() => calls > before + 100, 'the visitors come and go again');
    isBusy = false;
    const expected = ['lea', ...(await Promise.all(visitors))].sort();

    const { members } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    const present = members.map(({ userId }) => userId).sort();
    const lost = expected.filter((user) => !present.includes(user));
    const doubled = present.filter((user, index) => present.indexOf(user) !== index);
    const ghosts = present.filter((user) => !expected.includes(user));
    t.diagnostic(`${calls} calls; lost: ${lost.length}, doubled: ${doubled.length}, ghosts: ${ghosts.length}`);
    assert.deepEqual({ lost, doubled, ghosts }, { lost: [], doubled: [], ghosts: [] });
    // The bridge has subscribed at the new primary, and knows that it may have missed events.
    await lea.next('room:state');
  });

  test('a join to a Redis that has become a replica waits for the new primary', async () => {
    const room = await harness.room();
    const lea = await harness.webSocket('lea', { bridge: 1 });
    await lea.enter(room);
    await lea.next('room:started');
    const kim = await harness.socketIo('kim');
    await harness.redis.handOver();
    const joined = kim.join(room);
    harness.redis.moveName();
    assert.equal((await joined).success, true);
    // The subscription is still with the former primary, which replicates what is published.
    await lea.next('room:participantsChanged', entered('kim'));
    await kim.leave();
    await lea.next('room:participantsChanged', changed('left', 'kim'));
    // The store of definitions lies in the same Redis.
    await harness.room();
  });
});
