import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Frames, Polling } from '../harness/engine-io.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { NAMESPACE } from '../harness/socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const PER_SOCKET = 5;
const PER_USER = 8;
const SOCKETS = 3;

describe('rate limits', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    const flags = [
      '--events-per-second',
      PER_SOCKET,
      '--events-per-second-per-user',
      PER_USER,
      '--max-sockets-per-user',
      SOCKETS,
    ];
    harness = await Harness.start({ bridges: 2, flags: flags.map(String) });
  });
  after(() => harness?.stop());

  /** Sends events without waiting in between. Returns the codes of their acks. */
  const burst = (member, count) => Promise.all(Array.from({ length: count }, async () => (await member.leave()).code));

  const count = (codes, code) => codes.filter((it) => it === code).length;

  for (const [i, transport] of TRANSPORTS.entries()) {
    test(`a client that sends too fast is refused until it slows down (${transport})`, async () => {
      const kim = await harness.connect(transport, `kim-${i}`);
      // The limit allows twice the rate at once; as many refusals again do not close the socket yet.
      const codes = await burst(kim, 3 * PER_SOCKET);
      assert.deepEqual(new Set(codes), new Set(['NOT_IN_ROOM', 'RATE_LIMITED']));
      assert.ok(count(codes, 'NOT_IN_ROOM') >= 2 * PER_SOCKET);
      const isServed = async () => {
        // Slow enough for the rate limit.
        await sleep(1000 / PER_SOCKET);
        return (await kim.leave()).code === 'NOT_IN_ROOM';
      };
      await until(isServed, 'the client is served again');
    });

    test(`refused events do not delay other members (${transport})`, async () => {
      const room = await harness.room();
      const [kim, lea] = [await harness.connect(transport, `kip-${i}`), await harness.connect(transport, `lea-${i}`)];
      await burst(kim, 3 * PER_SOCKET);
      await lea.enter(room);
      assert.equal((await lea.leave()).success, true);
    });

    test(`a user's sockets share a rate limit, and other users have their own (${transport})`, async () => {
      const [first, second] = [
        await harness.connect(transport, `ali-${i}`),
        await harness.connect(transport, `ali-${i}`),
      ];
      const codes = (await Promise.all([burst(first, 2 * PER_SOCKET), burst(second, 2 * PER_SOCKET)])).flat();
      assert.ok(count(codes, 'RATE_LIMITED') >= 4 * PER_SOCKET - 2 * PER_USER - 1, codes.join());
      const other = await harness.connect(transport, `bo-${i}`);
      assert.deepEqual(await burst(other, PER_SOCKET), Array(PER_SOCKET).fill('NOT_IN_ROOM'));
    });

    test(`sockets of a user are limited per bridge, over both transports together (${transport})`, async () => {
      const user = `ida-${i}`;
      const held = [];
      for (let n = 0; n < SOCKETS; n += 1) held.push(await harness.connect(TRANSPORTS[n % 2], user));
      // The ack proves that the bridge has connected the client.
      for (const member of held) await member.leave();
      const token = await tokenFor(user);
      const another = harness.client(transport, { auth: { token }, token });
      if (transport === 'Socket.IO') {
        await assert.rejects(
          another.connected(),
          (error) => error.data.code === 'TOO_MANY_SOCKETS' && error.data.message.length > 0,
        );
      } else {
        assert.deepEqual(await another.closed, { code: 4429, reason: 'TOO_MANY_SOCKETS' });
      }
      await (await harness.connect(transport, user, { bridge: 1 })).leave();
      held[0].disconnect();
      await held[0].closed;
      const isIn = async () => {
        const member = harness.client(transport, { auth: { token }, token });
        return (
          (
            await member
              .connected()
              .then(() => member.leave())
              .catch(() => ({}))
          ).code === 'NOT_IN_ROOM'
        );
      };
      await until(isIn, 'a permit is free');
    });
  }

  const FLOOD = 1000;

  /** What a client may send without need, as frames of Engine.IO. */
  const NEEDLESS = { pongs: '3', noops: '6', acks: `43${NAMESPACE},1[]` };

  for (const [what, frame] of Object.entries(NEEDLESS)) {
    test(`a flood of ${what} closes the connection (Socket.IO, WebSocket)`, async () => {
      const frames = await (await Frames.open(harness.bridges[0])).connect(await tokenFor(`flo-${what}`));
      await frames.send(...Array(FLOOD).fill(frame));
      await frames.closed;
    });

    test(`a flood of ${what} ends the session (Socket.IO, polling)`, async () => {
      const session = await (await Polling.open(harness.bridges[0])).connect(await tokenFor(`flop-${what}`));
      await session.post(...Array(FLOOD).fill(frame));
      await until(async () => (await session.get()).status === 400, 'the end of the session');
    });
  }

  test('a flood of pings closes a plain WebSocket', async () => {
    const kim = await harness.webSocket('kim-pings');
    await kim.leave();
    for (let i = 0; i < FLOOD; i += 1) kim.socket.ping();
    assert.deepEqual(await kim.closed, { code: 4429, reason: 'RATE_LIMITED' });
  });

  test('a client whose events are refused for too long loses its connection', async () => {
    const frames = await (await Frames.open(harness.bridges[0])).connect(await tokenFor('flo-events'));
    await frames.send(...Array(FLOOD).fill(`42${NAMESPACE},["room:leave"]`));
    await frames.closed;
    assert.ok(frames.all.includes(`41${NAMESPACE},`), 'after a DISCONNECT, so that the official client stays away');
  });
});
