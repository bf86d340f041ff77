// Set ROLLCALL_PREVIOUS to the folder of a release that is built (`cargo xtask upgrade REVISION` does both). Without it,
// both sides are this one, and the suite shows that a deployment in any order disturbs nobody.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Bridge } from '../harness/bridge.mjs';
import { assertTrue, clientRoom, closeRooms } from '../harness/client-rooms.mjs';
import { Harness } from '../harness/harness.mjs';
import { Resident } from '../harness/resident.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const PREVIOUS = process.env.ROLLCALL_PREVIOUS;

/** The first two run the app, and the others hold the sockets: the third calls the first app, the fourth the second. */
const APPS = [0, 1];
const BRIDGES = [2, 3];
const ORDERS = { 'the apps first': [...APPS, ...BRIDGES], 'the bridges first': [...BRIDGES, ...APPS] };

const ROOMS = 2;
const RESIDENTS = 12;
const STATUSES = ['focusing', 'break', 'away'];
/** How many commands each resident has to get done between two steps. */
const COMMANDS_BETWEEN = 4;

/** Codes that tell a client to send the command again. */
const PASSING = ['UNAVAILABLE', 'OVERLOADED', 'NOT_IN_ROOM', 'RATE_LIMITED'];

/** Real time: no lease and no grace period may end meanwhile. */
const VARIABLES = {
  SPIN_VARIABLE_FEATURES: 'timer status chat code lobby',
  SPIN_VARIABLE_CHAT_LIMIT: '10000',
  SPIN_VARIABLE_LEASE_MS: '15000',
  SPIN_VARIABLE_GRACE_MS: '60000',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '1000',
};

describe('rolling upgrade', { timeout: 900_000 }, () => {
  for (const [order, steps] of Object.entries(ORDERS)) {
    describe(order, () => {
      let harness;
      let [isOver, isStopped] = [false, false];
      const residents = [];
      before(async () => {
        harness = await Harness.start({ variables: VARIABLES, checkout: PREVIOUS });
        for (const index of [1, ...BRIDGES]) harness.bridges[index] = await start(index, { checkout: PREVIOUS });
        await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
      });
      after(async () => {
        [isOver, isStopped] = [true, true];
        closeRooms();
        for (const { socket } of residents) socket.disconnect();
        await harness?.stop();
      });

      function start(index, options) {
        const app = BRIDGES.includes(index) ? harness.bridges[index - BRIDGES[0]].appUrl : undefined;
        return Bridge.start({ redis: harness.redis, app, variables: VARIABLES, ...options });
      }

      /** Stops a bridge of the previous release as a deployment does, and starts this release on its ports. */
      async function upgrade(index) {
        const { address, appUrl, child } = harness.bridges[index];
        await child.kill('SIGTERM');
        const appListen = APPS.includes(index) ? new URL(appUrl).host : undefined;
        harness.bridges[index] = await start(index, { listen: address, appListen });
        await harness.bridges[index].ready();
      }

      /** Sends a command until it is acknowledged. */
      async function persist(resident, event, payload) {
        while (!isStopped) {
          const { success, data, code } = await resident.socket
            .timeout(10_000)
            .emitWithAck(event, payload)
            .catch(() => ({ code: 'UNAVAILABLE' }));
          if (success) return data;
          assert.ok(PASSING.includes(code), `${event} of ${resident.user}: ${code}`);
          await sleep(50);
        }
      }

      /** Writes messages and says what the resident does, over and over. Returns what the room has to show for it. */
      async function study(resident) {
        const done = { ids: [], status: undefined };
        resident.commands = 0;
        for (let round = 0; !isOver; round += 1) {
          const id = `${resident.user}-${round}`;
          await persist(resident, 'chat:send', { id, text: `round ${round}` });
          done.ids.push(id);
          done.status = STATUSES[round % STATUSES.length];
          await persist(resident, 'member:update', { status: done.status });
          resident.commands += 2;
          await sleep(100);
        }
        return done;
      }

      test('members stay, and every acknowledged command has its effect once', async (t) => {
        const rooms = [];
        for (let i = 0; i < ROOMS; i += 1) rooms.push(await harness.room());
        for (let i = 0; i < RESIDENTS; i += 1) {
          const user = `resident-${i}`;
          const bridge = harness.bridges[BRIDGES[i % BRIDGES.length]];
          residents.push(new Resident(user, rooms[Math.floor(i / 2) % ROOMS], bridge, await tokenFor(user)));
        }
        const shared = await harness.room();
        const clients = BRIDGES.map((index, i) =>
          clientRoom(`client-${i}`, shared, {
            url: harness.bridges[index].url,
            transport: ['WebSocket', 'Socket.IO'][i],
          }),
        );
        await Promise.all(clients.map((client) => client.join()));
        await until(() => residents.every((resident) => resident.isBack(0)), 'all are in their rooms', 60_000);
        const studies = residents.map((resident) => {
          const done = study(resident);
          done.catch((error) => (resident.error ??= error));
          return done;
        });
        const goOn = async (after) => {
          const marks = residents.map(({ commands }) => commands + COMMANDS_BETWEEN);
          await until(
            () => {
              for (const { error } of residents) if (error) throw error;
              return residents.every(({ commands, isIn }, i) => isIn && commands >= marks[i]);
            },
            `all go on after ${after}`,
            60_000,
          );
        };

        await goOn('the start');
        for (const [count, index] of steps.entries()) {
          await upgrade(index);
          await goOn(`step ${count + 1}`);
          await Promise.all(clients.map((client) => client.chat.send(`step ${count + 1}`)));
        }
        isOver = true;
        const done = await Promise.all(studies);

        for (const { user, acks } of residents) {
          assert.deepEqual(
            acks.map(({ recovered }) => recovered),
            [false, ...Array(acks.length - 1).fill(true)],
            user,
          );
        }
        for (const room of rooms) {
          const inRoom = residents.map((resident, i) => ({ ...done[i], ...resident })).filter((it) => it.room === room);
          await assertRoom(room, inRoom);
        }
        await assertTrue(harness, shared, clients);
        for (const client of clients)
          assert.equal(client.getSnapshot().chat.messages.length, steps.length * clients.length);
        const sent = done.reduce((sum, { ids }) => sum + ids.length, 0);
        t.diagnostic(`4 processes upgraded with ${residents.length} members: ${sent} messages, each there once`);
      });

      async function assertRoom(room, inRoom) {
        const { members } = await (await harness.api('GET', `/rooms/${room}/members`)).json();
        const seen = members.filter(({ userId }) => userId.startsWith('resident'));
        assert.deepEqual(
          seen.map(({ userId, state, status, joinedAt }) => [userId, state, status, joinedAt]).sort(),
          inRoom
            .map(({ user, status, acks }) => {
              const { joinedAt } = acks[0].members.find(({ userId }) => userId === user);
              return [user, 'present', status, joinedAt];
            })
            .sort(),
          'each member once, present since the beginning',
        );
        const ids = (await allMessages(room)).map(({ id }) => id);
        const kept = inRoom.flatMap((it) => it.ids);
        assert.deepEqual(ids.toSorted(), kept.toSorted(), 'each message once');
      }

      async function allMessages(room) {
        const messages = [];
        for (;;) {
          const after = messages.at(-1)?.number ?? 0;
          const page = await (await harness.api('GET', `/rooms/${room}/messages?after=${after}&limit=100`)).json();
          if (page.messages.length === 0) return messages;
          messages.push(...page.messages);
        }
      }
    });
  }
});
