import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { changed, entered, Harness, HOUR, TRANSPORTS } from '../harness/harness.mjs';
import { RawSocketIo } from '../harness/raw-socket-io.mjs';
import { tokenFor } from '../harness/tokens.mjs';

const MAX_PAYLOAD_BYTES = 32_768;
const DEEP = '['.repeat(10_000) + ']'.repeat(10_000);

/** A bidirectional control, a zero-width space, a byte order mark, a line separator, a soft hyphen and a tag character. */
const HIDDEN = ['\u202e', '\u200b', '\ufeff', '\u2028', '\u00ad', '\u{e0041}'];

/** Payloads other than `{groupId: <id>}`. */
const WRONG_PAYLOADS = [
  undefined,
  null,
  true,
  7,
  'algebra-1',
  [],
  // An object's values by position.
  ['algebra-1'],
  {},
  { groupid: 'algebra-1' },
  { groupId: null },
  { groupId: true },
  { groupId: 1.5 },
  { groupId: [] },
  { groupId: {} },
  { groupId: '' },
  { groupId: 'x'.repeat(129) },
  { groupId: 'a\nb' },
  ...HIDDEN.map((hidden) => ({ groupId: `algebra${hidden}-1` })),
];

describe('bad input', { timeout: 900_000 }, () => {
  let harness;
  let pid;
  const raws = [];
  before(async () => {
    harness = await Harness.start({ flags: ['--max-payload-bytes', MAX_PAYLOAD_BYTES] });
    pid = harness.bridges[0].pid;
  });
  after(async () => {
    for (const raw of raws) raw.disconnect();
    await harness?.stop();
  });

  // After each test, the same process still serves clients.
  afterEach(async () => {
    assert.ok(await harness.bridges[0].isHealthy());
    assert.equal(harness.bridges[0].pid, pid);
    const room = await harness.room();
    const [kim, ali] = [await harness.socketIo('kim'), await harness.webSocket('ali')];
    assert.equal((await kim.enter(room)).first, true);
    await ali.enter(room);
    await kim.next('room:participantsChanged');
    for (const member of [kim, ali]) await member.leave();
  });

  async function raw() {
    const client = new RawSocketIo('raw', harness.bridges[0]);
    raws.push(client);
    return client.connected(await tokenFor('raw'));
  }

  const code = async (ack) => (await ack).code;

  for (const transport of TRANSPORTS) {
    test(`a payload of another shape is answered with MALFORMED (${transport})`, async () => {
      const client = await harness.connect(transport, 'mallory');
      for (const payload of WRONG_PAYLOADS) {
        const args = payload === undefined ? [] : [payload];
        assert.equal(await code(client.request('room:join', ...args)), 'MALFORMED', JSON.stringify(payload));
      }
    });

    test(`a refusal names the hidden character of an id (${transport})`, async () => {
      const client = await harness.connect(transport, 'mallory');
      const { code, message } = await client.request('room:join', { groupId: 'algebra\u202e' });
      assert.equal(code, 'MALFORMED');
      assert.match(message, /must not contain U\+202E, a bidirectional control/);
      assert.doesNotMatch(message, /\u202e/);
    });

    test(`an event that does not exist is answered with UNKNOWN_EVENT (${transport})`, async () => {
      const client = await harness.connect(transport, 'mallory');
      for (const event of ['room:burn', 'room:join ', 'ROOM:JOIN', '', '__proto__', 'x'.repeat(10_000)]) {
        assert.equal(await code(client.request(event, {})), 'UNKNOWN_EVENT', event.slice(0, 20));
      }
    });

    test(`other fields beside the group's id have no effect (${transport})`, async () => {
      const room = await harness.room();
      const client = await harness.connect(transport, 'kim');
      const { members } = await client
        .request('room:join', { groupId: room, userId: 'lea', extra: { first: false } })
        .then((ack) => ack.data);
      assert.deepEqual(
        members.map(({ userId }) => userId),
        ['kim'],
        'the token says who it is, not the payload',
      );
    });

    test(`a flood of events is refused, and then the socket is closed (${transport})`, async () => {
      const client = await harness.connect(transport, 'mallory');
      const codes = new Set();
      // Many events get no ack.
      const asking = Array.from({ length: 300 }, () =>
        code(client.join('no-such-room')).then(
          (code) => codes.add(code),
          () => {},
        ),
      );
      await Promise.all([client.closed, ...asking]);
      assert.deepEqual(codes, new Set(['NO_SUCH_ROOM', 'RATE_LIMITED']));
      if (transport === 'Socket.IO') {
        assert.equal((await client.next('error')).code, 'RATE_LIMITED');
        assert.equal(await client.closed, 'io server disconnect');
      } else {
        assert.deepEqual(await client.closed, { code: 4429, reason: 'RATE_LIMITED' });
      }
    });
  }

  test('the API refuses hidden characters in every id, and keeps ids that look alike apart', async () => {
    const endAt = (await harness.redis.now()) + HOUR;
    for (const hidden of HIDDEN) {
      const id = `kim${hidden}`;
      const path = `/rooms/${encodeURIComponent(id)}`;
      for (const [method, target, body] of [
        ['PUT', path, { endAt }],
        ['GET', path],
        ['GET', `${path}/members`],
        ['POST', `${path}/notices`, { text: 'Hello' }],
        ['DELETE', `/rooms/algebra/members/${encodeURIComponent(id)}`],
        ['PUT', '/rooms/algebra', { endAt, leaderId: id }],
        ['PUT', '/rooms/algebra', { endAt, members: ['lea', id] }],
        ['PATCH', '/rooms/algebra', { members: [id] }],
      ]) {
        const response = await harness.api(method, target, body);
        const { code, detail } = await response.json();
        assert.deepEqual([response.status, code], [400, 'MALFORMED'], `${method} ${target}`);
        assert.match(detail, /must not contain U\+/);
      }
    }
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
    await harness.define(composed);
    assert.equal((await harness.api('GET', `/rooms/${encodeURIComponent(decomposed)}`)).status, 404);
  });

  for (const transport of TRANSPORTS) {
    test(`names and notices lose hidden characters, and nobody is refused for a name (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      await lea.enter(room);
      const persian = '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645';
      for (const [user, username, expected] of [
        ['ada', 'A\u202eda\u001b[2J\n\u200b', 'Ada[2J '],
        ['bo', persian, persian],
        ['cy', '\u2066\u2069', 'cy'],
        ['di', 'x'.repeat(300), 'x'.repeat(256)],
      ]) {
        const token = await tokenFor(user, { claims: { username, userRole: '\ufefftutor' } });
        const member = await harness.client(transport, { auth: { token }, token }).connected();
        await member.enter(room);
        const { members } = await lea.next('room:participantsChanged', entered(user));
        const { userName, userRole } = members.find(({ userId }) => userId === user);
        assert.deepEqual([userName, userRole], [expected, 'tutor']);
        const fresh = await tokenFor(user, { claims: { username: `New\u202e ${user}` } });
        assert.equal((await member.request('auth:refresh', { token: fresh })).success, true);
        const { change } = await lea.next('room:participantsChanged', changed('updated', user));
        assert.equal(change.users[0].userName, `New ${user}`);
      }
      const hidden = await tokenFor('kim\u200b');
      const refused = harness.client(transport, { auth: { token: hidden }, token: hidden });
      if (transport === 'Socket.IO') await assert.rejects(refused.connected(), { message: 'TOKEN_INVALID' });
      else assert.deepEqual(await refused.closed, { code: 4401, reason: 'TOKEN_INVALID' });

      const notice = (text) => harness.api('POST', `/rooms/${room}/notices`, { text });
      assert.equal((await notice('Five\u202e minutes\r\nleft\u001b[2J')).status, 204);
      assert.equal((await lea.next('room:notice')).text, 'Five minutes\nleft[2J');
      assert.equal((await notice('\u200b\u2028')).status, 400);
    });
  }

  test('an event that is not an array of a name and a payload is answered with MALFORMED (Socket.IO)', async () => {
    const texts = [
      '["room:join",{]',
      '["room:join",{"groupId":"x"}',
      '["room:join" "x"]',
      '["room:join",\u0000]',
      '[]',
      '[7]',
      '[null,{}]',
      '[["room:join"]]',
      `[${DEEP}]`,
      `["room:join",${'['.repeat(10_000)}]`,
    ];
    const client = await raw();
    for (const [id, text] of texts.entries()) {
      assert.equal(await code(client.request(text, id)), 'MALFORMED', text.slice(0, 40));
    }
  });

  test('nesting ten thousand levels deep is answered with MALFORMED (Socket.IO)', async () => {
    const client = await raw();
    const texts = [`["room:join",${DEEP}]`, `["room:join",{"groupId":${DEEP}}]`, `["room:join",{"other":${DEEP}}]`];
    for (const [id, text] of texts.entries()) {
      assert.equal(await code(client.request(text, id)), 'MALFORMED', text.slice(0, 40));
    }
  });

  test('nesting ten thousand levels deep is answered with MALFORMED (WebSocket)', async () => {
    const client = await harness.webSocket('mallory');
    for (const [id, data] of [
      [1, DEEP],
      [2, `{"groupId":${DEEP}}`],
      ['a', `${'['.repeat(10_000)}"`],
    ]) {
      const text = `{"id":${JSON.stringify(id)},"event":"room:join","data":${data}}`;
      const balanced = id !== 'a';
      if (balanced) {
        assert.equal(await code(client.raw({ id, event: 'room:join' }, text)), 'MALFORMED');
      } else {
        client.socket.send(text);
        assert.equal((await client.next('error')).code, 'MALFORMED');
      }
    }
    client.socket.send(DEEP);
    assert.equal((await client.next('error')).code, 'MALFORMED');
  });

  test('a frame that cannot be read is answered with an error event, or by its id if it has one (WebSocket)', async () => {
    const client = await harness.webSocket('mallory');
    for (const text of [
      '',
      'x',
      '{',
      'null',
      '7',
      '[]',
      '{}',
      '{"event":7}',
      '{"id":{},"event":"room:join"}',
      '{"id":true,"event":"room:join"}',
    ]) {
      client.socket.send(text);
      const { code, message } = await client.next('error');
      assert.equal(code, 'MALFORMED', text);
      assert.ok(message);
    }
    for (const frame of [{ id: 1 }, { id: 'a', event: 7 }, { id: -2, event: null }]) {
      assert.equal(await code(client.raw(frame)), 'MALFORMED', JSON.stringify(frame));
    }
  });

  test('binary data is answered with MALFORMED (Socket.IO)', async () => {
    const client = await harness.socketIo('mallory');
    assert.equal(await code(client.request('room:join', Buffer.from('{"groupId":"x"}'))), 'MALFORMED');
    assert.equal(await code(client.request('room:join', { groupId: Buffer.from('x') })), 'MALFORMED');
    assert.equal(await code(client.join('no-such-room')), 'NO_SUCH_ROOM', 'the connection stays open');
  });

  test('binary frames are answered with an error event (WebSocket)', async () => {
    const client = await harness.webSocket('mallory');
    client.socket.send(Buffer.from(JSON.stringify({ id: 1, event: 'room:leave' })));
    assert.equal((await client.next('error')).code, 'MALFORMED');
    assert.equal(await code(client.leave()), 'NOT_IN_ROOM', 'the connection stays open');
  });

  test('a message that is too large closes a WebSocket with 1009', async () => {
    const client = await harness.webSocket('mallory');
    client.socket.send(JSON.stringify({ id: 1, event: 'room:join', data: 'x'.repeat(MAX_PAYLOAD_BYTES) }));
    assert.deepEqual(await client.closed, { code: 1009, reason: 'PAYLOAD_TOO_LARGE' });
  });

  for (const transports of [['websocket'], ['polling']]) {
    test(`a message that is too large ends a Socket.IO connection over ${transports}`, async () => {
      const client = await harness.socketIo('mallory', { transports });
      client.socket.emit('room:join', 'x'.repeat(MAX_PAYLOAD_BYTES));
      assert.match(await client.closed, /^transport (close|error)$/);
    });
  }

  test('a request that is too large for polling is refused with status 413', async () => {
    const url = `${harness.bridges[0].url}/socket.io/?EIO=4&transport=polling`;
    const handshake = await (await fetch(url)).text();
    const { sid } = JSON.parse(handshake.slice(1));
    const response = await fetch(`${url}&sid=${sid}`, { method: 'POST', body: `4${'x'.repeat(MAX_PAYLOAD_BYTES)}` });
    assert.equal(response.status, 413);
  });

  test('packets that the protocols do not define end at most their own connection (Socket.IO)', async () => {
    const packets = [
      '',
      '9',
      '4',
      '49',
      '42',
      '42/study',
      '42/study,',
      '42/study,99999999999999999999["room:join"]',
      '45/study,-["x"]',
      '451-/study,["room:join",{"_placeholder":true,"num":9}]',
      '459999999999-/study,["x"]',
      '43/study,1[]',
      'b!!!',
      'bAAAA',
      '40/study,{',
      `40/study,${DEEP}`,
      '\u0000',
    ];
    for (const packet of packets) {
      const client = await raw();
      client.socket.send(packet);
      // The bridge has closed the connection, or still answers on it.
      const outcome = await client.request('["room:leave"]', 1).catch(() => client.closed);
      assert.ok(
        outcome.code === 'NOT_IN_ROOM' || Number.isInteger(outcome.code),
        `${packet.slice(0, 30)}: ${JSON.stringify(outcome)}`,
      );
    }
  });

  test('unannounced binary frames end at most their own connection (Socket.IO)', async () => {
    const client = await raw();
    client.socket.send(Buffer.alloc(100));
    const outcome = await client.request('["room:leave"]', 1).catch(() => client.closed);
    assert.ok(outcome.code === 'NOT_IN_ROOM' || Number.isInteger(outcome.code), JSON.stringify(outcome));
  });
});
