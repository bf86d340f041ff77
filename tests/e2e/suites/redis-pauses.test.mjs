import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { changed, entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

/** Real time: leases and grace periods run out. */
const LEASE_MS = 3000;
const GRACE_MS = 2000;
const PAUSE_MS = 2 * (LEASE_MS + GRACE_MS);

const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: `${LEASE_MS}`,
  SPIN_VARIABLE_GRACE_MS: `${GRACE_MS}`,
  SPIN_VARIABLE_REDIS_TIMEOUT_MS: '500',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '1000',
};

describe('Redis pauses', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2, persistent: true, variables: VARIABLES });
  });
  after(() => harness?.stop());

  for (const transport of TRANSPORTS)
    for (const [how, stop, start] of [
      ['frozen', 'freeze', 'thaw'],
      ['dead', 'crash', 'restart'],
    ]) {
      test(`members keep their stay while Redis is ${how} for longer than lease and grace period (${transport})`, async () => {
        const room = await harness.room();
        const members = [
          await harness.connect(transport, 'lea'),
          await harness.connect(transport, 'kim', { bridge: 1 }),
          await harness.connect(transport, 'ali'),
        ];
        const [lea, kim, ali] = members;
        for (const member of members) await member.enter(room);
        const before = (await (await harness.api('GET', `/rooms/${room}/members`)).json()).members;

        await harness.redis[stop]();
        // The outage has to last for a while by the clock of Redis.
        await sleep(PAUSE_MS);
        await harness.redis[start]();

        await harness.enterAfterOutage(transport, 'bo', room, { bridge: 1 });
        for (const member of members)
          await until(
            () =>
              member.log.some(
                ({ event, data }) =>
                  (event === 'room:participantsChanged' && entered('bo')(data)) ||
                  (event === 'room:state' && data.members.some(({ userId }) => userId === 'bo')),
              ),
            'bo is there',
          );
        // A lease later, nothing has come of the outage.
        await sleep(LEASE_MS);
        const { members: list, hostId } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
        assert.deepEqual(list.slice(0, 3), before, 'the same members since the same time');
        assert.equal(hostId, 'lea');
        for (const member of members) {
          assert.equal(member.count('room:participantReconnecting'), 0);
          assert.equal(
            member.log.some(({ data }) => data.change?.type === 'graceExpired'),
            false,
          );
        }
        const { attendees } = await (await harness.api('GET', `/rooms/${room}/attendance`)).json();
        // Bo may have been refused at first.
        for (const { userId, drops, stays } of attendees.filter(({ userId }) => userId !== 'bo')) {
          assert.deepEqual([drops, stays.length], [0, 1], userId);
          assert.equal(stays[0].presentMs, stays[0].leftAt - stays[0].enteredAt, 'no hole');
        }

        // Losses count again.
        ali.terminate();
        await lea.next('room:participantReconnecting', ({ userId }) => userId === 'ali');
        await kim.next('room:participantsChanged', changed('graceExpired', 'ali'));
      });
    }
});
