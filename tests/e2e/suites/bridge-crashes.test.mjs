import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { about, changed, entered, Harness, membersIn } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const LEASE_MS = 2_000;
const GRACE_MS = 3_000;
const MEMBERS = 50;

/** Detection time: lease + grace + sweep, as `rollcall bridge --help` computes it. */
const DETECTION_MS = LEASE_MS + GRACE_MS + 1_000;
/** Allowance for a busy machine. */
const NOISE_MS = 5_000;

/** Real time: the suite measures how soon the app detects a dead bridge. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: String(LEASE_MS),
  SPIN_VARIABLE_GRACE_MS: String(GRACE_MS),
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
};

describe('bridge crashes', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 1, variables: VARIABLES });
  });
  after(() => harness?.stop());

  /** Starts another bridge for the same app; returns its index. */
  async function startBridge({ redis, appUrl, bridges } = harness, variables = VARIABLES) {
    return bridges.push(await Bridge.start({ redis, app: appUrl, variables })) - 1;
  }

  const users = Array.from({ length: MEMBERS }, (_, n) => `user-${n}`);

  /** Waits until a member has got events about all users. */
  async function awaitAllUsers(member, event, usersOf) {
    const missing = new Set(users);
    while (missing.size > 0) {
      const data = await member.next(event);
      for (const user of usersOf(data)) missing.delete(user);
    }
  }

  test('members of a killed bridge become reconnecting when its lease ends, and rejoin over another bridge or are removed', async (t) => {
    const killed = await startBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const lost = await Promise.all(users.map((user) => harness.socketIo(user, { bridge: killed })));
    for (const member of lost) await member.enter(room);

    const killedAt = await harness.redis.now();
    await harness.bridges[killed].child.kill('SIGKILL');
    await awaitAllUsers(lea, 'room:participantReconnecting', (data) =>
      membersIn(data).map(({ userId, graceUntil }) => {
        // The app may still handle the bridge's last heartbeat after the kill.
        assert.ok(
          graceUntil - killedAt <= LEASE_MS + GRACE_MS + NOISE_MS,
          `${userId} may stay away for ${graceUntil - killedAt} ms`,
        );
        return userId;
      }),
    );

    const back = users.slice(0, MEMBERS / 2);
    await Promise.all(
      back.map(async (user) => {
        const ack = await (await harness.socketIo(user)).enter(room);
        assert.equal(ack.recovered, true, `${user} is recovered`);
      }),
    );
    const gone = new Set(users.slice(MEMBERS / 2));
    while (gone.size > 0) {
      const { change } = await lea.next('room:participantsChanged', ({ change }) => change.type === 'graceExpired');
      for (const { userId } of change.users)
        assert.ok(gone.delete(userId), `${userId} is removed once, and had not rejoined`);
    }
    const goneAfterMs = (await harness.redis.now()) - killedAt;
    assert.ok(goneAfterMs <= DETECTION_MS + NOISE_MS, `removed after ${goneAfterMs} ms`);
    const ali = await harness.socketIo('ali');
    const { members } = await ali.enter(room);
    const present = members.map(({ userId }) => userId).sort();
    assert.deepEqual(present, ['lea', 'ali', ...back].sort(), 'zero ghosts');
    harness.assertNoGaps();
    t.diagnostic(
      `1 bridge killed with ${MEMBERS} members: ${back.length} recovered, the others removed after ${goneAfterMs} ms ` +
        `(detection time ${DETECTION_MS} ms), ghosts: 0`,
    );
  });

  test('a member who rejoins before the lease ends is recovered, not refused as a duplicate', async () => {
    const killed = await startBridge();
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: killed });
    await kim.enter(room);
    await harness.bridges[killed].child.kill('SIGKILL');
    const again = await harness.socketIo('kim');
    const ack = await until(async () => {
      const ack = await again.join(room);
      return ack.success && ack;
    }, 'kim can join again');
    assert.equal(ack.data.recovered, true);
  });

  test('members of killed bridges rejoin at once with their resume tokens, time after time', async (t) => {
    const KILLS = 5;
    // No lease ends during the test, however busy the machine is.
    const variables = { ...VARIABLES, SPIN_VARIABLE_LEASE_MS: '600000' };
    const harness = await Harness.start({ bridges: 1, variables });
    t.after(() => harness.stop());
    const room = await harness.room();
    const observer = await harness.socketIo('observer');
    await observer.enter(room);
    let [current, tokens] = [0, new Map()];
    for (let round = 0; round <= KILLS; round += 1) {
      const previous = current;
      current = await startBridge(harness, variables);
      const entering = users.map(async (user) => {
        const member = await harness.socketIo(user, { bridge: current });
        const ack = await member.enter(room, { resumeToken: tokens.get(user) });
        assert.deepEqual([ack.first, ack.recovered], [false, round > 0], user);
        tokens.set(user, ack.resumeToken);
      });
      if (round > 0) await harness.bridges[previous].child.kill('SIGKILL');
      await Promise.all(entering);
    }
    const { count } = await (await harness.socketIo('lea')).enter(room);
    assert.equal(count, MEMBERS + 2, 'each user once');
    await observer.next('room:participantsChanged', entered('lea'));
    assert.deepEqual(
      observer.names.filter((name) => name === 'room:participantReconnecting'),
      [],
      'nobody was ever reconnecting',
    );
    t.diagnostic(
      `${KILLS} bridges killed with ${MEMBERS} members each: all rejoined by token before the lease ended, ghosts: 0`,
    );
  });

  test('members of a bridge that shuts down are reconnecting at once', async () => {
    const stopping = await startBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    await (await harness.webSocket('kim', { bridge: stopping })).enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    await harness.bridges[stopping].child.kill('SIGTERM');
    await lea.next('room:participantReconnecting', about('kim'));
    assert.equal((await (await harness.webSocket('kim')).enter(room)).recovered, true);
  });

  test('a bridge that was suspended rejoins its members, and their sockets stay open', async () => {
    const suspended = await startBridge();
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    await lea.enter(room);
    const kim = await harness.socketIo('kim', { bridge: suspended });
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));

    await harness.bridges[suspended].child.kill('SIGSTOP');
    await lea.next('room:participantReconnecting', about('kim'));
    await harness.bridges[suspended].child.kill('SIGCONT');
    await lea.next('room:participantReconnected', about('kim'));

    const ali = await harness.socketIo('ali');
    await ali.enter(room);
    await kim.next('room:participantsChanged', changed('entered', 'ali'));
    assert.equal((await kim.leave()).success, true, 'the same socket holds the membership');
    await lea.next('room:participantsChanged', changed('left', 'kim'));
    harness.assertNoGaps();
  });
});
