import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { about, changed, entered, Harness } from '../harness/harness.mjs';
import { metricsAddress } from '../harness/metrics.mjs';
import { until } from '../harness/wait.mjs';

const LEASE_MS = 3000;
const GRACE_MS = 800;

/** Beside the bridge that runs the app. */
const BRIDGES = 4;

/** Real time: bridges wait for deadlines by their own clocks. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: String(LEASE_MS),
  SPIN_VARIABLE_GRACE_MS: String(GRACE_MS),
  SPIN_VARIABLE_REMINDER_LEAD_MS: '500',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
};

/** No scheduler runs: without the asks of bridges, nothing that these tests wait for would ever happen. */
describe('sweep without a scheduler', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 1 + BRIDGES,
      metrics: true,
      manifest: 'spin-without-cron.toml',
      variables: VARIABLES,
    });
    await rank();
  });
  after(() => harness?.stop());

  /** How many events of a kind a bridge has sent to the app so far. */
  async function sent(bridge, kind) {
    const text = await (await fetch(`http://${await metricsAddress(bridge)}/metrics`)).text();
    const samples = text.matchAll(new RegExp(`^rollcall_app_events_total\\{kind="${kind}".*\\} (\\d+)$`, 'gm'));
    return [...samples].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Makes the bridge that runs the app, which no test can kill, rank last, and waits until each bridge knows its rank. */
  async function rank() {
    const [, node] = await harness.bridges[0].child.line(/bridge\.started.*node_id=(\S+)/);
    await harness.redis.client.hSet('rollcall:{0}:leased', node, '9000000000000');
    for (const bridge of harness.bridges) {
      const from = await sent(bridge, 'heartbeat');
      await until(async () => (await sent(bridge, 'heartbeat')) >= from + 2, 'two heartbeats');
    }
  }

  /** How often living bridges have asked for a sweep so far. */
  async function asks() {
    const living = harness.bridges.filter(({ child }) => !child.hasEnded);
    return (await Promise.all(living.map((bridge) => sent(bridge, 'sweep')))).reduce((sum, n) => sum + n, 0);
  }

  /** Does something that makes so many deadlines pass, and checks that at most three bridges have asked for each. */
  async function countAsks(t, deadlines, doSomething) {
    const before = await asks();
    await doSomething();
    // The event that a sweep causes may arrive before the answer to the ask.
    const after = await until(async () => {
      const asked = (await asks()) - before;
      return asked >= deadlines && asked;
    }, 'somebody has asked for each deadline');
    t.diagnostic(`${deadlines} deadlines: ${after} asks of ${harness.bridges.length} bridges`);
    assert.ok(after <= 3 * deadlines, `${after} asks for ${deadlines} deadlines`);
  }

  test('grace periods end, and few of the bridges ask', async (t) => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    await countAsks(t, 2, async () => {
      for (const [user, bridge] of [
        ['kim', 2],
        ['bo', 1],
      ]) {
        const member = await harness.webSocket(user, { bridge });
        await member.enter(room);
        await lea.next('room:participantsChanged', entered(user));
        member.terminate();
        await lea.next('room:participantReconnecting', about(user));
        await lea.next('room:participantsChanged', changed('graceExpired', user));
      }
    });
    lea.disconnect();
  });

  test('reminders and ends come in time after ends have moved near, also in a room without members', async () => {
    const [room, empty] = [await harness.room(), await harness.room()];
    const published = await harness.redis.published(empty);
    const lea = await harness.socketIo('lea', { bridge: 3 });
    await lea.enter(room);
    const kim = await harness.webSocket('kim', { bridge: 2 });
    await kim.enter(empty);
    await kim.leave();
    const endAt = (await harness.redis.now()) + 2000;
    for (const id of [room, empty]) assert.ok((await harness.api('PATCH', `/rooms/${id}`, { endAt })).ok);
    await lea.next('room:reminder');
    await lea.next('room:ended');
    assert.equal(lea.count('room:reminder'), 1);
    const events = () => published.map(({ event }) => event);
    await until(() => events().includes('room:ended'), 'the session of the empty room has ended');
    assert.ok(events().includes('room:reminder'));
  });

  test('the two bridges that ask first are killed at once: the next one asks for the end of their leases', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 3 });
    await lea.enter(room);
    for (const [user, bridge] of [
      ['kim', 1],
      ['bo', 2],
    ]) {
      await (await harness.webSocket(user, { bridge })).enter(room);
      await lea.next('room:participantsChanged', entered(user));
    }
    await Promise.all([1, 2].map((killed) => harness.bridges[killed].child.kill('SIGKILL')));
    const gone = new Set(['kim', 'bo']);
    while (gone.size > 0) {
      const { change } = await lea.next('room:participantsChanged', ({ change }) => change.type === 'graceExpired');
      for (const { userId } of change.users) gone.delete(userId);
    }
    harness.assertNoGaps();
  });
});
