import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { changed, entered, Harness, HOUR, MINUTE } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

const PAGE = 'https://admin.example';

/** An operator's token that looks like a JWT. */
const DOTTED = 'a-token.with-two.dots-in-it';

describe("operators' API", { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({
      bridges: 2,
      variables: {
        SPIN_VARIABLE_CORS_ORIGINS: `https://*.preview.example.com ${PAGE}`,
        SPIN_VARIABLE_OPERATOR_TOKENS: `an-older-token-that-still-counts ${DOTTED} ${OPERATOR_TOKEN}`,
      },
    });
  });
  after(() => harness?.stop());

  /** Makes a request; returns status, headers and body. */
  async function call(method, path, { body, token = OPERATOR_TOKEN, headers = {} } = {}) {
    const response = await fetch(harness.appUrl + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: typeof body === 'string' ? body : body && JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
  }

  async function refused(promise, status, code) {
    const answer = await promise;
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.deepEqual([answer.status, answer.body.status, answer.body.code], [status, status, code]);
    assert.ok(answer.body.title && answer.body.detail);
  }

  async function liveRoom(definition) {
    const room = await harness.room(definition);
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    await lea.next('room:started');
    return { room, lea };
  }

  const inAnHour = async () => (await harness.redis.now()) + HOUR;

  test('definitions are created, read, replaced and deleted, each idempotently', async () => {
    const definition = {
      endAt: await inAnHour(),
      leaderId: 'lea',
      members: ['kim', 7],
      duplicates: 'share',
      capacity: 5,
    };
    const made = await call('PUT', '/rooms/physics', { body: definition });
    assert.deepEqual([made.status, made.body], [201, definition]);
    const again = await call('PUT', '/rooms/physics', { body: definition });
    assert.deepEqual([again.status, again.body], [200, definition]);
    const read = await call('GET', '/rooms/physics');
    assert.deepEqual([read.status, read.body], [200, definition]);
    assert.equal(read.headers.get('etag'), again.headers.get('etag'));
    for (let i = 0; i < 2; i += 1) assert.equal((await call('DELETE', '/rooms/physics')).status, 204);
    await refused(call('GET', '/rooms/physics'), 404, 'NO_SUCH_ROOM');
  });

  test('a conditional change of a definition that somebody else has changed meanwhile is refused', async () => {
    const body = { endAt: await inAnHour(), leaderId: 'lea' };
    await refused(call('PUT', '/rooms/latin', { body, headers: { 'if-match': '*' } }), 412, 'PRECONDITION_FAILED');
    const made = await call('PUT', '/rooms/latin', { body, headers: { 'if-none-match': '*' } });
    assert.equal(made.status, 201);
    await refused(call('PUT', '/rooms/latin', { body, headers: { 'if-none-match': '*' } }), 412, 'PRECONDITION_FAILED');
    const tag = { 'if-match': made.headers.get('etag') };
    const changed = await call('PATCH', '/rooms/latin', { body: { capacity: 3 }, headers: tag });
    assert.deepEqual([changed.status, changed.body.capacity], [200, 3]);
    await refused(call('PATCH', '/rooms/latin', { body: { capacity: 4 }, headers: tag }), 412, 'PRECONDITION_FAILED');
    await refused(call('DELETE', '/rooms/latin', { headers: tag }), 412, 'PRECONDITION_FAILED');
    await refused(
      call('PUT', '/rooms/latin', { body, headers: { 'if-match': '"made-up"' } }),
      412,
      'PRECONDITION_FAILED',
    );
    assert.equal((await call('PATCH', '/rooms/latin', { body: { capacity: null } })).body.capacity, undefined);
  });

  test('conditions follow RFC 9110', async () => {
    const body = { endAt: await inAnHour(), leaderId: 'lea' };
    const tag = (await call('PUT', '/rooms/greek', { body })).headers.get('etag');
    for (const value of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const unmodified = await call('GET', '/rooms/greek', { headers: { 'if-none-match': value } });
      assert.deepEqual([unmodified.status, unmodified.body, unmodified.headers.get('etag')], [304, '', tag], value);
      assert.equal(unmodified.headers.get('vary'), 'origin');
      await refused(
        call('PUT', '/rooms/greek', { body, headers: { 'if-none-match': value } }),
        412,
        'PRECONDITION_FAILED',
      );
    }
    for (const headers of [
      { 'if-none-match': '"x"' },
      { 'if-match': `"x", ${tag}` },
      { 'if-match': tag, 'if-none-match': 'W/"x"' },
    ])
      assert.equal((await call('GET', '/rooms/greek', { headers })).status, 200, JSON.stringify(headers));
    for (const headers of [{ 'if-match': `W/${tag}` }, { 'if-match': '"x"', 'if-none-match': tag }])
      await refused(call('GET', '/rooms/greek', { headers }), 412, 'PRECONDITION_FAILED');
    for (const value of ['x', '"', `*, ${tag}`])
      await refused(call('GET', '/rooms/greek', { headers: { 'if-match': value } }), 400, 'MALFORMED');
    const missing = { headers: { 'if-match': tag } };
    await refused(call('GET', '/rooms/none', missing), 404, 'NO_SUCH_ROOM');
    await refused(call('PATCH', '/rooms/none', { body: { capacity: 1 }, ...missing }), 404, 'NO_SUCH_ROOM');
    await refused(call('PUT', '/rooms/none', { body, ...missing }), 412, 'PRECONDITION_FAILED');
    assert.equal((await call('PUT', '/rooms/greek', { body, headers: { 'if-match': `"x", ${tag}` } })).status, 200);
  });

  test('members of a large room are listed page by page', async () => {
    const room = await harness.room();
    const users = Array.from({ length: 30 }, (_, n) => `user-${n}`);
    for (const user of users) await (await harness.webSocket(user)).enter(room);
    const seen = [];
    let next;
    do {
      const query = `limit=7${next ? `&after=${encodeURIComponent(next)}` : ''}`;
      const { body } = await call('GET', `/rooms/${room}/members?${query}`);
      assert.deepEqual([body.groupId, body.count], [room, 30]);
      seen.push(...body.members.map(({ userId }) => userId));
      next = body.next;
    } while (next);
    assert.deepEqual(seen, users);
    for (const query of ['limit=0', 'limit=1001', 'after=x', 'colour=red'])
      await refused(call('GET', `/rooms/${room}/members?${query}`), 400, 'MALFORMED');
  });

  test('an unreadable stored definition admits nobody, and can be replaced', async () => {
    const keys = async () => (await harness.redis.client.keys('*')).filter((key) => key.endsWith('session:biology'));
    await harness.define('biology');
    const [key] = await keys();
    await harness.redis.client.set(key, '{"from": "another time"}');
    const lea = await harness.socketIo('lea');
    assert.equal((await lea.join('biology')).code, 'UNAVAILABLE');
    await refused(call('GET', '/rooms/biology'), 404, 'NO_SUCH_ROOM');
    await harness.define('biology');
    await lea.enter('biology');
  });

  test('invalid definitions, patches and notices are refused and change nothing', async () => {
    const { room } = await liveRoom();
    const before = await call('GET', `/rooms/${room}`);
    const good = { endAt: await inAnHour(), leaderId: 'lea' };
    for (const body of [
      '',
      '{',
      '[]',
      'null',
      '[['.repeat(5000),
      { leaderId: 'lea' },
      { ...good, endAt: 1900000000 },
      { ...good, capacity: 0 },
      { ...good, duplicates: 'maybe' },
      { ...good, member: [] },
      { ...good, members: [''] },
      // An object's values by position.
      [good.endAt, good.leaderId],
    ]) {
      await refused(call('PUT', `/rooms/${room}`, { body }), 400, 'MALFORMED');
    }
    for (const body of [
      { endAt: 'soon' },
      { leaderId: '' },
      { colour: 'red' },
      { endAt: 7 },
      [],
      [good.endAt, 'kim', null],
    ]) {
      await refused(call('PATCH', `/rooms/${room}`, { body }), 400, 'MALFORMED');
    }
    for (const body of [
      {},
      { text: '' },
      { text: ' ' },
      { text: 'x'.repeat(2001) },
      { text: 'x', html: true },
      ['x'],
    ]) {
      await refused(call('POST', `/rooms/${room}/notices`, { body }), 400, 'MALFORMED');
    }
    await refused(call('PUT', `/rooms/${room}`, { body: ' '.repeat(2 * 1024 * 1024 + 1) }), 413, 'PAYLOAD_TOO_LARGE');
    const after = await call('GET', `/rooms/${room}`);
    assert.deepEqual([after.body, after.headers.get('etag')], [before.body, before.headers.get('etag')]);
  });

  test('an id may contain any character', async () => {
    const id = 'a/b c?d#ä🦉:members';
    const path = `/rooms/${encodeURIComponent(id)}`;
    assert.equal((await call('PUT', path, { body: { endAt: await inAnHour(), leaderId: 'lea' } })).status, 201);
    const lea = await harness.socketIo('lea');
    await lea.enter(id);
    const { body } = await call('GET', `${path}/members`);
    assert.deepEqual([body.groupId, body.count], [id, 1]);
    await refused(call('GET', `/rooms/${'x'.repeat(129)}`), 400, 'MALFORMED');
    await refused(call('GET', '/rooms/%00'), 400, 'MALFORMED');
    await refused(call('GET', '/rooms/%ff'), 400, 'MALFORMED');
  });

  test('live rooms are listed page by page, and each has a list of members', async () => {
    const { room, lea } = await liveRoom();
    const kim = await harness.webSocket('kim');
    await kim.enter(room);
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const { body } = await call('GET', `/rooms/${room}/members`);
    assert.deepEqual(
      body.members.map(({ userId, state }) => [userId, state]),
      [
        ['lea', 'present'],
        ['kim', 'reconnecting'],
      ],
    );
    assert.deepEqual([body.count, body.hostId, body.leaderId], [2, 'lea', 'lea']);

    const seen = [];
    let next;
    do {
      const page = await call('GET', `/rooms?limit=2${next ? `&after=${encodeURIComponent(next)}` : ''}`);
      assert.ok(page.body.rooms.length <= 2);
      seen.push(...page.body.rooms);
      next = page.body.next;
    } while (next);
    assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length, 'each room once');
    const { epoch, startedAt, endAt, ...rest } = seen.find(({ id }) => id === room);
    assert.deepEqual(rest, { id: room, count: 2 });
    assert.ok(epoch >= startedAt - 1000 && endAt > startedAt);
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=x', 'colour=red']) {
      await refused(call('GET', `/rooms?${query}`), 400, 'MALFORMED');
    }
    await refused(call('GET', '/rooms/nowhere/members'), 404, 'NOT_LIVE');
  });

  test('a member is removed, a notice is sent, and a session is rescheduled and ended', async () => {
    const { room, lea } = await liveRoom();
    const kim = await harness.webSocket('kim');
    await kim.enter(room);
    await lea.next('room:participantsChanged', entered('kim'));
    assert.equal((await call('DELETE', `/rooms/${room}/members/kim`)).status, 204);
    await refused(call('DELETE', `/rooms/${room}/members/kim`), 404, 'NO_SUCH_MEMBER');
    await refused(call('DELETE', '/rooms/nowhere/members/kim'), 404, 'NOT_LIVE');
    await kim.next('room:removed');
    assert.deepEqual(await kim.closed, { code: 4410, reason: 'room:removed' });
    await lea.next('room:participantsChanged', changed('removed', 'kim'));

    assert.equal((await call('POST', `/rooms/${room}/notices`, { body: { text: 'Pens down, please' } })).status, 204);
    assert.equal((await lea.next('room:notice')).text, 'Pens down, please');

    const endAt = (await harness.redis.now()) + 30 * MINUTE;
    assert.equal((await call('PATCH', `/rooms/${room}`, { body: { endAt } })).status, 200);
    assert.equal((await lea.next('room:rescheduled')).endAt, endAt);

    for (let i = 0; i < 2; i += 1) assert.equal((await call('POST', `/rooms/${room}/end`)).status, 204);
    assert.equal((await lea.next('room:ended')).reason, 'ended');
    await lea.closed;
    const late = await harness.socketIo('kim');
    assert.equal((await late.join(room)).code, 'SESSION_ENDED', 'no join starts the session again');
    await refused(call('POST', `/rooms/${room}/notices`, { body: { text: 'Hello?' } }), 404, 'NOT_LIVE');
    await refused(call('POST', '/rooms/nowhere/end'), 404, 'NO_SUCH_ROOM');
    harness.assertNoGaps();
  });

  test('operators may call everything, members may read their own rooms, and others may call nothing', async () => {
    const { room } = await liveRoom({ members: ['kim'] });
    const [kim, mallory] = [await tokenFor('kim'), await tokenFor('mallory')];
    assert.equal((await call('GET', `/rooms/${room}`, { token: 'an-older-token-that-still-counts' })).status, 200);
    for (const path of [`/rooms/${room}`, `/rooms/${room}/members`, '/rooms', `/rooms/${room}/attendance`])
      assert.equal((await call('GET', path, { token: DOTTED })).status, 200, path);
    for (const path of [`/rooms/${room}`, `/rooms/${room}/members`]) {
      assert.equal((await call('GET', path, { token: kim })).status, 200);
      await refused(call('GET', path, { token: mallory }), 403, 'NOT_A_MEMBER');
      await refused(call('GET', path, { token: `${kim}x` }), 401, 'TOKEN_INVALID');
    }
    const forbidden = [
      ['GET', '/rooms'],
      ['PUT', `/rooms/${room}`],
      ['PATCH', `/rooms/${room}`],
      ['DELETE', `/rooms/${room}`],
      ['POST', `/rooms/${room}/end`],
      ['POST', `/rooms/${room}/notices`],
      ['DELETE', `/rooms/${room}/members/kim`],
      ['GET', `/rooms/${room}/attendance`],
    ];
    for (const [method, path] of forbidden) {
      for (const token of [kim, '', 'x', 'x'.repeat(40)])
        await refused(call(method, path, { token }), 401, 'UNAUTHORIZED');
    }
  });

  test('pages of the configured origins may use the API, and no others', async () => {
    const ask = (origin) =>
      call('OPTIONS', '/rooms/x', { headers: { origin, 'access-control-request-method': 'PUT' } });
    const allowed = await ask(PAGE);
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), PAGE);
    assert.match(allowed.headers.get('access-control-allow-methods'), /PUT/);
    assert.equal(allowed.headers.get('access-control-max-age'), '600');
    const headers = allowed.headers.get('access-control-allow-headers').split(', ');
    for (const header of ['authorization', 'if-match', 'traceparent', 'tracestate', 'baggage', 'x-request-id'])
      assert.ok(headers.includes(header), header);
    for (const origin of ['https://evil.example', `${PAGE}.evil.example`, 'https://a.b.preview.example.com', 'null']) {
      for (const answer of [await ask(origin), await call('GET', '/rooms', { headers: { origin } })]) {
        await refused(answer, 403, 'ORIGIN_NOT_ALLOWED');
        assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
      }
    }
    for (const origin of ['https://pr-7.preview.example.com', `${PAGE}:443`, harness.appUrl])
      assert.equal((await ask(origin)).status, 204, origin);
    const answer = await call('GET', '/rooms', { headers: { origin: PAGE } });
    assert.equal(answer.headers.get('access-control-allow-origin'), PAGE);
    assert.equal(answer.headers.get('vary'), 'origin');
  });

  test('unknown paths get 404, and unknown methods get 405', async () => {
    await refused(call('GET', '/rooms/x/nothing'), 404, 'NO_SUCH_PATH');
    await refused(call('POST', '/rooms/x'), 405, 'METHOD_NOT_ALLOWED');
    await refused(call('GET', '/rooms/x/end'), 405, 'METHOD_NOT_ALLOWED');
    assert.equal((await call('GET', '/rooms/x/end')).headers.get('allow'), 'POST, OPTIONS');
  });
});
