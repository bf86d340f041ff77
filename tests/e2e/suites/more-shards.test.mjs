import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const SHARDS = { before: 3, after: 32 };
const ROOMS = 12;
const HEARTBEATS = { ROLLCALL_HEARTBEAT_INTERVAL_MS: '500' };

describe('more shards while sessions go on', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    // Each bridge runs an app of its own, of which only the second knows of the change.
    harness = await Harness.start({ variables: { SPIN_VARIABLE_SHARDS: String(SHARDS.before), ...HEARTBEATS } });
    const variables = { SPIN_VARIABLE_SHARDS: `${SHARDS.before}-${SHARDS.after}`, ...HEARTBEATS };
    harness.bridges.push(await Bridge.start({ redis: harness.redis, variables }));
    await harness.bridges[1].ready();
  });
  after(() => harness?.stop());

  /** Four users enter and one leaves, through bridges in this order. */
  async function meet(room, transport, order) {
    const members = [];
    for (const [n, bridge] of order.entries()) {
      const member = await harness.connect(transport, `${room}-${n}`, { bridge });
      assert.equal((await member.enter(room)).count, n + 1, `${room}, member ${n}`);
      members.push(member);
    }
    await members[0].next('room:participantsChanged', ({ count }) => count === order.length);
    await members.at(-1).leave();
    await Promise.all(
      members.slice(0, -1).map((member) => member.next('room:participantsChanged', ({ count }) => count === 3)),
    );
    return members;
  }

  for (const transport of TRANSPORTS) {
    test(`old and new instances of the app put everybody into the same rooms (${transport})`, async () => {
      for (let i = 0; i < ROOMS; i += 1) {
        const room = await harness.room();
        // Every other session is started by the instance that knows of more shards.
        const order = i % 2 === 0 ? [0, 1, 0, 1] : [1, 0, 1, 0];
        const members = await meet(room, transport, order);
        assert.equal((await harness.api('DELETE', `/rooms/${room}`)).status, 204);
        await Promise.all(members.slice(0, -1).map((member) => member.next('room:ended')));
        await harness.define(room);
        await meet(room, transport, order.toReversed());
      }
      harness.assertNoGaps();
    });
  }

  test('the heartbeats of all bridges reach the new shards, which no member notices', async () => {
    const leases = `rollcall:{${SHARDS.after - 1}}:leases`;
    await until(async () => (await harness.redis.client.zCard(leases)) === 2, 'both bridges have a lease there');
    harness.assertNoGaps();
    for (const member of harness.members) assert.equal(member.count('room:participantReconnecting'), 0);
  });

  test('every live room is listed once', async () => {
    const { rooms } = await (await harness.api('GET', '/rooms?limit=100')).json();
    const ids = rooms.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(ids.length, ROOMS * TRANSPORTS.length);
  });
});
