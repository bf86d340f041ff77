import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

import { changed, entered, Harness, TRANSPORTS } from '../harness/harness.mjs';
import { foreignKey, tokenFor } from '../harness/tokens.mjs';
import { within } from '../harness/wait.mjs';

const ORIGIN = 'https://study.example';
const POLLING = '/socket.io/?EIO=4&transport=polling';
const LISTED = [ORIGIN, 'https://*.preview.example.com', 'capacitor://localhost', 'https://bücher.example'];

describe('refusals', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      flags: LISTED.flatMap((origin) => ['--origin', origin]),
    });
  });
  after(() => harness?.stop());

  async function refused(asking, code) {
    const ack = await asking;
    assert.deepEqual(Object.keys(ack).sort(), ['code', 'message', 'success']);
    assert.deepEqual([ack.success, ack.code], [false, code]);
    assert.ok(ack.message.length > 0);
  }

  for (const transport of TRANSPORTS) {
    test(`a second connection of a user is refused, and the first stays (${transport})`, async () => {
      const room = await harness.room();
      const first = await harness.connect(transport, 'kim');
      const { joinedAt } = (await first.enter(room)).members[0];
      await first.next('room:started');
      const second = await harness.connect(transport, 'kim', { bridge: 1 });
      await refused(second.join(room), 'ALREADY_JOINED');
      // The refused connection has no membership to lose.
      await first.assertNoEvents(
        async () => {
          second.disconnect();
          await second.closed;
          const { members } = await (await harness.connect(transport, 'ali')).enter(room);
          const kim = members.find(({ userId }) => userId === 'kim');
          assert.deepEqual([kim.state, kim.joinedAt], ['present', joinedAt]);
        },
        'room:participantsChanged',
        entered('ali'),
      );
    });

    test(`joins and leaves of unknown rooms, forbidden rooms and rooms of other connections are refused (${transport})`, async () => {
      const [open, closed] = [await harness.room(), await harness.room({ leaderId: 'lea', members: ['kim', 7] })];
      const keys = await harness.redis.keysOf(closed);
      const mallory = await harness.connect(transport, 'mallory');
      await refused(mallory.leave(), 'NOT_IN_ROOM');
      await refused(mallory.join('no-such-room'), 'NO_SUCH_ROOM');
      await refused(mallory.join(closed), 'NOT_A_MEMBER');
      assert.deepEqual(await harness.redis.keysOf(closed), keys, 'a refusal starts no session');

      for (const user of ['lea', 'kim', 7]) {
        const member = await harness.connect(transport, user);
        await member.enter(closed);
        await refused(member.join(open), 'IN_ANOTHER_ROOM');
      }
      // No refusal has closed the socket.
      await mallory.enter(open);
      await mallory.leave();
    });

    test(`a client without a valid token is refused (${transport})`, async () => {
      const bad = [
        [undefined, 'TOKEN_MISSING'],
        ['', 'TOKEN_MISSING'],
        ['nonsense', 'TOKEN_INVALID'],
        [`${await tokenFor('kim')}x`, 'TOKEN_INVALID'],
        [await tokenFor('kim', { signedWith: foreignKey() }), 'TOKEN_INVALID'],
        [await tokenFor(undefined), 'TOKEN_INVALID'],
        [unsigned({ userId: 'kim', exp: 4_000_000_000 }), 'TOKEN_INVALID'],
        [await tokenFor('kim', { expiresInS: -60 }), 'TOKEN_EXPIRED'],
      ];
      for (const bridge of [0, 1]) {
        for (const [token, code] of bad) {
          if (transport === 'Socket.IO') {
            const client = harness.client(transport, { bridge, auth: { token } });
            await assert.rejects(client.connected(), { message: code }, `${token}`);
          } else {
            const client = harness.client(transport, { bridge, token });
            assert.deepEqual(await client.closed, { code: 4401, reason: code }, `${token}`);
          }
        }
      }
    });

    test(`a connection is closed when its token expires (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.socketIo('lea');
      await lea.enter(room);
      const token = await tokenFor('kim', { expiresInS: 2 });
      const kim = harness.client(transport, { auth: { token }, token });
      await kim.connected();
      await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      if (transport === 'Socket.IO') {
        assert.equal((await kim.next('error')).code, 'TOKEN_EXPIRED');
        assert.equal(await kim.closed, 'io server disconnect');
      } else {
        assert.deepEqual(await kim.closed, { code: 4401, reason: 'TOKEN_EXPIRED' });
      }
      await lea.next('room:participantReconnecting');
    });
  }

  test('a token in the Authorization header works on Socket.IO too', async () => {
    const extraHeaders = { authorization: `Bearer ${await tokenFor('kim')}` };
    await harness.client('Socket.IO', { extraHeaders }).connected();
  });

  test('only the configured namespace exists', async () => {
    const socket = io(`${harness.bridges[0].url}/other`, {
      auth: { token: await tokenFor('kim') },
      transports: ['websocket'],
      reconnection: false,
    });
    try {
      const error = await within(new Promise((resolve) => socket.once('connect_error', resolve)), 'a refusal');
      assert.equal(error.message, 'Invalid namespace');
    } finally {
      socket.disconnect();
    }
  });

  const polling = (origin) =>
    fetch(harness.bridges[0].url + POLLING, {
      headers: origin ? { origin } : {},
      signal: AbortSignal.timeout(30_000),
    });

  /** The HTTP response to the upgrade to a WebSocket. */
  async function upgrade(path, origin) {
    const socket = new WebSocket(`ws://${harness.bridges[0].address}${path}`, { headers: origin ? { origin } : {} });
    socket.on('error', () => {});
    const answer = new Promise((resolve) => {
      socket.once('upgrade', ({ statusCode }) => resolve({ status: statusCode }));
      socket.once('unexpected-response', (_, response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode, body }));
      });
    });
    try {
      return await within(answer, `an answer to the upgrade of ${path}`);
    } finally {
      socket.terminate();
    }
  }

  const UPGRADES = ['/socket.io/?EIO=4&transport=websocket', '/ws'];
  for (const origin of [
    'https://evil.example',
    `${ORIGIN}.evil.example`,
    'https://a.b.preview.example.com',
    'https://preview.example.com',
    'http://study.example',
    'null',
  ]) {
    test(`pages of ${origin} are refused on every transport`, async () => {
      const response = await polling(origin);
      assert.equal(response.status, 403);
      assert.equal((await response.json()).code, 'ORIGIN_NOT_ALLOWED');
      assert.equal(response.headers.get('access-control-allow-origin'), null);
      for (const path of UPGRADES) {
        const { status, body } = await upgrade(path, origin);
        assert.equal(status, 403, path);
        assert.equal(JSON.parse(body).code, 'ORIGIN_NOT_ALLOWED', path);
      }
    });
  }

  for (const [origin, who] of [
    [ORIGIN, 'pages of the listed origin'],
    ['https://pr-7.preview.example.com', 'pages one label below a listed domain'],
    ['HTTPS://Study.Example:443', 'pages of the listed origin in another spelling'],
    ['https://xn--bcher-kva.example', 'pages of a listed name in another script'],
    ['capacitor://localhost', 'apps of a listed origin'],
    [undefined, 'clients that are not pages'],
  ]) {
    test(`${who} may connect on every transport`, async () => {
      const response = await polling(origin);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('access-control-allow-origin'), origin ?? null);
      for (const path of UPGRADES) assert.equal((await upgrade(path, origin)).status, 101, path);
    });
  }

  test('clients that send the host of the bridge as their origin may connect beside the listed ones', async () => {
    const { address } = harness.bridges[0];
    for (const origin of [`http://${address}`, `https://${address}`, `ws://${address}`]) {
      assert.equal((await polling(origin)).status, 200, origin);
      for (const path of UPGRADES) assert.equal((await upgrade(path, origin)).status, 101, origin);
      await harness.socketIo('lea', { extraHeaders: { origin } });
    }
  });

  test('a request with two origins is refused, even if both are listed', async () => {
    for (const path of [POLLING, ...UPGRADES]) {
      const asking = request(harness.bridges[0].url + path, {
        headers: {
          origin: [ORIGIN, ORIGIN],
          connection: 'upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        },
      });
      asking.end();
      const [response] = await within(once(asking, 'response'), `an answer to ${path}`);
      assert.equal(response.statusCode, 403, path);
      assert.equal(JSON.parse(Buffer.concat(await response.toArray())).code, 'ORIGIN_NOT_ALLOWED');
    }
  });

  test('a page of the listed origin joins a room over polling and over both kinds of WebSocket', async () => {
    const room = await harness.room();
    const headers = { origin: ORIGIN };
    const lea = await harness.socketIo('lea', { extraHeaders: headers, transports: ['polling'] });
    const kim = await harness.socketIo('kim', { extraHeaders: headers });
    const ali = await harness.webSocket('ali', { headers });
    for (const member of [lea, kim, ali]) await member.enter(room);
    await ali.leave();
    for (const member of [lea, kim]) await member.next('room:participantsChanged', changed('left', 'ali'));
  });
});

/** A token with the algorithm `none`, as attackers send it. */
function unsigned(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}
