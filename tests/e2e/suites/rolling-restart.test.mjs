import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge } from '../harness/bridge.mjs';
import { Harness } from '../harness/harness.mjs';
import { Resident } from '../harness/resident.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const ROOMS = 5;
const CLIENTS = 100;
const VISITORS = 10;
const GRACE_MS = 60_000;
const ENTRY_BURST = 20;

/** Real time: no lease and no grace period may end while bridges restart. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '15000',
  SPIN_VARIABLE_GRACE_MS: String(GRACE_MS),
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '1000',
  // Visitors join and leave as fast as they can.
  ROLLCALL_EVENTS_PER_SECOND: '1000',
  ROLLCALL_EVENTS_PER_SECOND_PER_USER: '1000',
};

describe('rolling restart', { timeout: 900_000 }, () => {
  let harness;
  const residents = [];
  let isBusy = true;
  before(async () => {
    // The first bridge runs the app, and no resident connects to it.
    harness = await Harness.start({ bridges: 3, variables: VARIABLES });
  });
  after(async () => {
    isBusy = false;
    for (const { socket } of residents) socket.disconnect();
    await harness?.stop();
  });

  /** Stops a bridge as a deployment does, and starts another one on the same port. */
  async function replace(index) {
    const old = harness.bridges[index];
    const { pid } = old;
    await old.child.kill('SIGTERM');
    const settings = { redis: harness.redis, app: harness.appUrl, variables: VARIABLES, listen: old.address };
    harness.bridges[index] = await Bridge.start(settings);
    assert.notEqual(harness.bridges[index].pid, pid);
  }

  /**
   * Joins and leaves over the bridge that is not restarted, until the test ends. Returns how often. No user enters a room
   * more often than the app allows at once.
   */
  async function visitRepeatedly(user, room) {
    let member;
    let times = 0;
    while (isBusy) {
      if (times % ENTRY_BURST === 0) {
        member?.disconnect();
        member = await harness.socketIo(`${user}-${times}`);
      }
      await member.enter(room);
      assert.equal((await member.leave()).success, true);
      times += 1;
    }
    return times;
  }

  test('both bridges are replaced under load, and no member is ever removed from a room', async (t) => {
    const rooms = [];
    const observers = [];
    for (let i = 0; i < ROOMS; i += 1) {
      rooms.push(await harness.room());
      const observer = await harness.socketIo(`observer-${i}`);
      await observer.enter(rooms[i]);
      observers.push(observer);
    }
    for (let i = 0; i < CLIENTS; i += 1) {
      const user = `resident-${i}`;
      const bridge = harness.bridges[1 + (i % 2)];
      residents.push(new Resident(user, rooms[i % ROOMS], bridge, await tokenFor(user)));
    }
    await until(() => residents.every((resident) => resident.isBack(0)), 'all residents are in their rooms', 60_000);
    const passing = Array.from({ length: VISITORS }, (_, i) => visitRepeatedly(`visitor-${i}`, rooms[i % ROOMS]));

    for (const index of [1, 2]) {
      const own = residents.filter((_, i) => 1 + (i % 2) === index);
      const before = new Map(own.map((resident) => [resident, resident.acks.length]));
      await replace(index);
      await until(
        () => own.every((resident) => resident.isBack(before.get(resident))),
        'all residents are in their rooms again',
        60_000,
      );
    }
    isBusy = false;
    const passed = (await Promise.all(passing)).reduce((sum, times) => sum + times);

    for (const { user, acks } of residents) {
      assert.deepEqual(
        acks.map(({ recovered }) => recovered),
        [false, ...Array(acks.length - 1).fill(true)],
        user,
      );
      const { joinedAt } = acks[0].members.find(({ userId }) => userId === user);
      const again = acks.at(-1).members.find(({ userId }) => userId === user);
      assert.equal(again.joinedAt, joinedAt, `${user} has been there from the beginning`);
    }
    for (const [i, room] of rooms.entries()) {
      const present = residents.filter((resident) => resident.room === room).map(({ user }) => user);
      const state = await (await harness.api('GET', `/rooms/${room}/members`)).json();
      const ids = state.members.map(({ userId }) => userId).sort();
      assert.deepEqual(ids, [`observer-${i}`, ...present].sort(), 'each user once, and no ghosts');
      assert.deepEqual([...new Set(state.members.map(({ state }) => state))], ['present']);
      await until(() => observers[i].position.seq >= state.seq, 'the observer has all events');
    }
    const removals = observers.flatMap(({ log }) => log.filter(isRemoval));
    assert.deepEqual(removals, [], 'nobody was removed');
    harness.assertNoGaps();
    const missed = observers.reduce((sum, observer) => sum + observer.count('room:participantReconnecting'), 0);
    const refused = residents.reduce((sum, { refusals }) => sum + refusals.length, 0);
    t.diagnostic(
      `2 bridges replaced with ${CLIENTS} clients: all recovered, ${missed} events about reconnecting members, ` +
        `${refused} joins tried again, ${passed} joins and leaves of others meanwhile, ghosts: 0`,
    );
  });
});

/** Whether an event says that a resident has left or was removed. */
function isRemoval({ event, data }) {
  const isOut = event === 'room:participantsChanged' && data.change.type !== 'entered';
  return isOut && data.change.users.some(({ userId }) => userId.startsWith('resident'));
}
