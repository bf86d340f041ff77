import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { changed, entered, Harness } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const LEASE_MS = 2_000;
const GRACE_MS = 3_000;
const MEMBERS = 50;

/** Detection + grace + sweep, as `rollcall bridge --help` says. */
const BOUND_MS = LEASE_MS + GRACE_MS + 1_000;
/** What a busy machine may add. */
const NOISE_MS = 5_000;

/** Time is real here: it is about how soon a silence is noticed. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: String(LEASE_MS),
  SPIN_VARIABLE_GRACE_MS: String(GRACE_MS),
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
};

describe('bridges that die', { timeout: 120_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 1, variables: VARIABLES });
  });
  after(() => harness?.stop());

  /** Another bridge around the same app; returns its place among the bridges. */
  async function anotherBridge() {
    const bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, variables: VARIABLES });
    return harness.bridges.push(bridge) - 1;
  }

  const users = Array.from({ length: MEMBERS }, (_, n) => `user-${n}`);

  /** Waits until everybody in a list was told of. */
  async function told(member, event, usersOf) {
    const missing = new Set(users);
    while (missing.size > 0) {
      const data = await member.next(event);
      for (const user of usersOf(data)) missing.delete(user);
    }
  }

  test('the members of a killed bridge are lost within the lease, come back through another, or are gone', async (t) => {
    const doomed = await anotherBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const lost = await Promise.all(users.map((user) => harness.socketIo(user, { bridge: doomed })));
    for (const member of lost) await member.enter(room);

    const killedAt = await harness.redis.now();
    await harness.bridges[doomed].child.kill('SIGKILL');
    await told(lea, 'room:participantReconnecting', ({ userId, graceUntil }) => {
      assert.ok(
        graceUntil - killedAt <= LEASE_MS + GRACE_MS,
        `${userId} may stay away for ${graceUntil - killedAt} ms`,
      );
      return [userId];
    });

    const back = users.slice(0, MEMBERS / 2);
    for (const user of back) {
      const ack = await (await harness.socketIo(user)).enter(room);
      assert.equal(ack.recovered, true, `${user} is recovered`);
    }
    const gone = new Set(users.slice(MEMBERS / 2));
    while (gone.size > 0) {
      const { change } = await lea.next('room:participantsChanged', ({ change }) => change.type === 'graceExpired');
      for (const { userId } of change.users) assert.ok(gone.delete(userId), `${userId} goes once, and was not back`);
    }
    const goneAfterMs = (await harness.redis.now()) - killedAt;
    assert.ok(goneAfterMs <= BOUND_MS + NOISE_MS, `gone after ${goneAfterMs} ms`);
    const ali = await harness.socketIo('ali');
    const { members } = await ali.enter(room);
    const present = members.map(({ userId }) => userId).sort();
    assert.deepEqual(present, ['lea', 'ali', ...back].sort(), 'zero ghosts');
    harness.assertNoGaps();
    t.diagnostic(
      `1 bridge killed with ${MEMBERS} members: ${back.length} recovered, the others gone after ${goneAfterMs} ms ` +
        `(bound ${BOUND_MS} ms), ghosts: 0`,
    );
  });

  test('who comes back before anybody noticed is recovered, not refused as a duplicate', async () => {
    const doomed = await anotherBridge();
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: doomed });
    await kim.enter(room);
    await harness.bridges[doomed].child.kill('SIGKILL');
    const again = await harness.socketIo('kim');
    const ack = await until(async () => {
      const ack = await again.join(room);
      return ack.success && ack;
    }, 'kim is let in again');
    assert.equal(ack.data.recovered, true);
  });

  test('with their resume tokens members of killed bridges are back at once, again and again', async (t) => {
    const KILLS = 5;
    const room = await harness.room();
    const witness = await harness.socketIo('witness');
    await witness.enter(room);
    let [place, tokens] = [0, new Map()];
    for (let round = 0; round <= KILLS; round += 1) {
      const doomed = place;
      place = await anotherBridge();
      const entering = users.map(async (user) => {
        const member = await harness.socketIo(user, { bridge: place });
        const ack = await member.enter(room, { resumeToken: tokens.get(user) });
        assert.deepEqual([ack.first, ack.recovered], [false, round > 0], user);
        tokens.set(user, ack.resumeToken);
      });
      if (round > 0) await harness.bridges[doomed].child.kill('SIGKILL');
      await Promise.all(entering);
    }
    const { count } = await (await harness.socketIo('lea')).enter(room);
    assert.equal(count, MEMBERS + 2, 'everybody once');
    await witness.next('room:participantsChanged', entered('lea'));
    assert.deepEqual(
      witness.names.filter((name) => name === 'room:participantReconnecting'),
      [],
      'nobody was missed',
    );
    t.diagnostic(
      `${KILLS} bridges killed with ${MEMBERS} members each: all back by token before anybody noticed, ghosts: 0`,
    );
  });

  test('a bridge that stops says goodbye: its members are reconnecting at once', async () => {
    const stopping = await anotherBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    await (await harness.webSocket('kim', { bridge: stopping })).enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    await harness.bridges[stopping].child.kill('SIGTERM');
    await lea.next('room:participantReconnecting', ({ userId }) => userId === 'kim');
    assert.equal((await (await harness.webSocket('kim')).enter(room)).recovered, true);
  });

  test('a bridge that was only away for a while brings its members back, and their sockets stay open', async () => {
    const away = await anotherBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const kim = await harness.socketIo('kim', { bridge: away });
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));

    await harness.bridges[away].child.kill('SIGSTOP');
    await lea.next('room:participantReconnecting', ({ userId }) => userId === 'kim');
    await harness.bridges[away].child.kill('SIGCONT');
    await lea.next('room:participantReconnected', ({ userId }) => userId === 'kim');

    const ali = await harness.socketIo('ali');
    await ali.enter(room);
    await kim.next('room:participantsChanged', changed('entered', 'ali'));
    assert.equal((await kim.leave()).success, true, 'the same socket still holds the membership');
    await lea.next('room:participantsChanged', changed('left', 'kim'));
    harness.assertNoGaps();
  });
});
