import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Bridge } from '../harness/bridge.mjs';
import { changed, entered, Harness, membersIn } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const AWAY_MS = 10_000;
const MEMBERS = 20;
/** Long enough for the checks before its end. The time in which the app is away does not count. */
const GRACE_MS = 30_000;

/** Real time: a clock that jumps by more than half a lease looks like an outage of Redis. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '3000',
  SPIN_VARIABLE_GRACE_MS: String(GRACE_MS),
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '2000',
};

describe('an outage of the app for ten seconds', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 1, variables: VARIABLES });
    // The first bridge runs the app; clients connect to the second one only.
    const holder = await Bridge.start({ redis: harness.redis, app: harness.appUrl, variables: VARIABLES });
    harness.bridges.push(holder);
  });
  after(() => harness?.stop());

  test('sockets stay open, acks report UNAVAILABLE in time, and all members are recovered afterwards', async (t) => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    const others = await Promise.all(
      Array.from({ length: MEMBERS }, (_, n) =>
        harness.connect(n % 2 ? 'WebSocket' : 'Socket.IO', `user-${n}`, { bridge: 1 }),
      ),
    );
    for (const member of others) await member.enter(room);
    await lea.next('room:participantsChanged', entered(others.at(-1).user));
    const late = await harness.socketIo('late', { bridge: 1 });
    const [gone, ...stay] = others;

    const { appUrl } = harness;
    await harness.bridges[0].child.kill('SIGKILL');
    const back = sleep(AWAY_MS);
    gone.terminate();
    assert.equal((await late.join(room)).code, 'UNAVAILABLE');
    assert.equal((await lea.leave()).code, 'UNAVAILABLE');
    await back;
    const appListen = new URL(appUrl).host;
    harness.bridges[0] = await Bridge.start({ redis: harness.redis, variables: VARIABLES, appListen });

    // Nothing ran in the shard meanwhile, so nobody's lease has run out.
    const lost = await lea.next('room:participantReconnecting', undefined, 60_000);
    assert.deepEqual(
      membersIn(lost).map(({ userId }) => userId),
      [gone.user],
    );
    await until(async () => (await late.join(room)).success, 'late can join');
    const { members } = await (await harness.socketIo('observer', { bridge: 1 })).enter(room);
    const states = Object.fromEntries(members.map(({ userId, state }) => [userId, state]));
    assert.equal(states[gone.user], 'reconnecting', 'the bridge has sent the disconnect');
    for (const { user } of [lea, ...stay]) assert.equal(states[user], 'present');

    await lea.next('room:participantsChanged', changed('graceExpired', gone.user), GRACE_MS + 60_000);
    assert.equal((await stay[0].leave()).success, true, 'through the same socket as before');
    harness.assertNoGaps();
    t.diagnostic(
      `app away for ${AWAY_MS / 1000} s: ${MEMBERS} of ${MEMBERS} kept their stay on open sockets, 1 lost meanwhile and gone, ghosts: 0`,
    );
  });
});
