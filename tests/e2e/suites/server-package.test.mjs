import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { Bridge, OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { command } from '../harness/command.mjs';
import { Harness, HOUR, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { edgesOfHidden, isHidden } from '../harness/hidden-characters.mjs';
import { listen } from '../harness/ports.mjs';
import { loadPackage } from '../harness/sources.mjs';

const { allow, ChatHook, change, checkId, RollcallApi, RollcallError, refuse, TokenSigner } =
  await loadPackage('server');

const SWEEP_TOKEN = randomBytes(24).toString('hex');
const HOOK_SECRET = `whsec_${randomBytes(24).toString('base64')}`;
const REGISTERED = { issuer: 'https://study.example', audience: ['another', 'rollcall'] };

const sharedKey = (alg) => ({ kty: 'oct', alg, kid: alg, k: randomBytes(64).toString('base64url') });
const privateKey = (type, options) => generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });

const SHARED = ['HS256', 'HS384', 'HS512'].map(sharedKey);
const PRIVATE = [
  privateKey('rsa', { modulusLength: 2048 }),
  privateKey('ec', { namedCurve: 'P-256' }),
  privateKey('ed25519'),
].map((key, index) => ({ ...key, kid: `private-${index}` }));

const SIGNERS = [...SHARED, ...PRIVATE].map((key) => new TokenSigner({ key, ...REGISTERED }));
const JWT_KEYS = JSON.stringify({
  keys: [...SHARED, ...SIGNERS.slice(SHARED.length).flatMap((signer) => signer.publicKeys.keys)],
});

const VARIABLES = {
  SPIN_VARIABLE_JWT_KEYS: JWT_KEYS,
  SPIN_VARIABLE_JWT_ISSUER: REGISTERED.issuer,
  SPIN_VARIABLE_JWT_AUDIENCE: 'rollcall',
  SPIN_VARIABLE_SWEEP_TOKENS: SWEEP_TOKEN,
  SPIN_VARIABLE_FEATURES: 'timer status chat code lobby',
  SPIN_VARIABLE_CHAT_HOOK_SCHEME: 'http',
  SPIN_VARIABLE_CHAT_HOOK_PATH: '/check',
  SPIN_VARIABLE_CHAT_HOOK_SECRET: HOOK_SECRET,
  SPIN_VARIABLE_CHAT_HOOK_TIMEOUT_MS: '1500',
};

/** Bad words, as a platform may know them. */
function judge({ text }) {
  if (text.includes('rude')) return refuse('Be kind.');
  return text.includes('darn') ? change(text.replaceAll('darn', '****')) : allow();
}

describe('the package for servers', { timeout: 900_000 }, () => {
  const asked = [];
  let [harness, platform, api] = [];
  before(async () => {
    const decide = (question) => {
      asked.push(question);
      return judge(question);
    };
    platform = createServer(new ChatHook(HOOK_SECRET).listener(decide));
    await listen(platform);
    const address = `127.0.0.1:${platform.address().port}`;
    harness = await Harness.start({ variables: { ...VARIABLES, SPIN_VARIABLE_CHAT_HOOK_ADDRESS: address } });
    api = new RollcallApi({ url: harness.appUrl, token: OPERATOR_TOKEN });
  });
  after(async () => {
    await harness?.stop();
    platform?.closeAllConnections();
    platform?.close();
  });

  const [signer] = SIGNERS;

  /** A connected client with this token. */
  const connect = (transport, token) =>
    harness.client(transport, transport === 'Socket.IO' ? { auth: { token } } : { token }).connected();

  /** A member in a room. */
  async function enter(room, user, transport = 'WebSocket') {
    const member = await connect(transport, signer.sign({ userId: user, username: `Name of ${user}` }));
    await member.enter(room);
    return member;
  }

  let rooms = 0;
  async function define(definition) {
    rooms += 1;
    const room = `algebra ${rooms}`;
    await api.put(room, { endAt: (await harness.redis.now()) + HOUR, leaderId: 'lea', ...definition });
    return room;
  }

  const refused = (promise, code, status) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof RollcallError, error.stack);
      assert.deepEqual([error.code, error.status, error.isUncertain], [code, status, false], error.message);
      return true;
    });

  for (const transport of TRANSPORTS) {
    test(`a token of each algorithm admits its user (${transport})`, async () => {
      const room = await define();
      for (const [index, one] of SIGNERS.entries()) {
        const token = one.sign({ userId: index, username: 'Kim', userRole: 'tutor' }, { expiresInS: 60 });
        const { members } = await (await connect(transport, token)).enter(room);
        const { userId, userName, userRole } = members.at(-1);
        assert.deepEqual([userId, userName, userRole], [index, 'Kim', 'tutor']);
      }
    });

    test(`a token that is not valid yet, or for somebody else, admits nobody (${transport})`, async () => {
      const later = signer.sign({ userId: 'kim' }, { notBefore: new Date(Date.now() + 10 * MINUTE) });
      const foreign = new TokenSigner({ key: sharedKey('HS256'), ...REGISTERED }).sign({ userId: 'kim' });
      const elsewhere = new TokenSigner({ key: SHARED[0], ...REGISTERED, audience: 'another' }).sign({ userId: 'kim' });
      for (const token of [later, foreign, elsewhere]) {
        if (transport === 'Socket.IO') await assert.rejects(connect(transport, token), { message: 'TOKEN_INVALID' });
        else assert.equal((await (await connect(transport, token)).closed).reason, 'TOKEN_INVALID');
      }
    });
  }

  test('a token holds its session where sessions come from tokens', async () => {
    const prefix = { SPIN_VARIABLE_REDIS_PREFIX: 'tokens', ROLLCALL_REDIS_PREFIX: 'tokens' };
    const variables = { ...VARIABLES, ...prefix, SPIN_VARIABLE_SESSIONS: 'token', SPIN_VARIABLE_CHAT_HOOK_PATH: '' };
    harness.bridges.push(await Bridge.start({ redis: harness.redis, variables }));
    await harness.bridges[1].ready();
    const endAt = (await harness.redis.now()) + HOUR;
    const rollcall = { room: 12, endAt, leaderId: 8, capacity: 3, duplicates: 'share', features: ['chat'] };
    const token = signer.sign({ userId: 7, rollcall });
    const kim = await harness.client('WebSocket', { bridge: 1, token }).connected();
    const joined = await kim.enter(12);
    assert.deepEqual([joined.endAt, joined.leaderId, joined.hostId], [endAt, 8, 7]);
    assert.equal((await kim.request('timer:set', { mode: 'stopwatch' })).code, 'FEATURE_OFF');
  });

  test('the package knows the hidden characters that Rollcall knows', async () => {
    const codes = edgesOfHidden(checkId);
    assert.ok(codes.length > 100);
    const ask = async (code) => {
      const id = encodeURIComponent(String.fromCodePoint(code));
      const { status } = await harness.api('GET', `/rooms/${id}x`);
      assert.equal(status, isHidden(code, checkId) ? 400 : 404, `U+${code.toString(16)}`);
    };
    for (let from = 0; from < codes.length; from += 20) await Promise.all(codes.slice(from, from + 20).map(ask));
  });

  test('definitions are set, read, changed under conditions, and deleted', async () => {
    const definition = { endAt: (await harness.redis.now()) + HOUR, members: ['kim', 7], duplicates: 'share' };
    const made = await api.put('교실/1', definition, { ifNoneMatch: '*' });
    assert.deepEqual([made.isNew, made.definition], [true, definition]);
    assert.deepEqual(await api.get('교실/1'), { definition, etag: made.etag });
    assert.equal(await api.get('교실/1', { ifNoneMatch: made.etag }), null);
    const changed = await api.patch('교실/1', { members: null, capacity: 3 }, { ifMatch: made.etag });
    assert.deepEqual([changed.definition.members, changed.definition.capacity], [undefined, 3]);
    await refused(api.patch('교실/1', { capacity: 4 }, { ifMatch: made.etag }), 'PRECONDITION_FAILED', 412);
    await refused(api.put('교실/1', definition, { ifNoneMatch: '*' }), 'PRECONDITION_FAILED', 412);
    await refused(api.put('교실/1', { ...definition, endAt: 1 }), 'MALFORMED', 400);
    await api.delete('교실/1');
    await refused(api.get('교실/1'), 'NO_SUCH_ROOM', 404);
  });

  test('two changes at once both succeed, because the refused one is tried again', async () => {
    const room = await define();
    const changes = Array.from({ length: 8 }, (_, index) => api.patch(room, { capacity: index + 1 }));
    const etags = (await Promise.all(changes)).map(({ etag }) => etag);
    assert.equal(new Set(etags).size, changes.length);
  });

  test('live rooms are listed, counted, told something, and ended', async () => {
    const room = await define();
    const lea = await enter(room, 'lea');
    const kim = await enter(room, 7, 'Socket.IO');
    const { rooms: page } = await api.list({ limit: 1 });
    assert.equal(page.length, 1);
    const ids = [];
    for await (const { id } of api.eachRoom()) ids.push(id);
    assert.ok(ids.includes(room));
    assert.deepEqual(
      (await api.counts([room, 'none'])).rooms.map(({ count }) => count),
      [2, 0],
    );
    assert.equal((await api.members(room, { limit: 1 })).members.length, 1);
    const members = [];
    for await (const { userId } of api.eachMember(room)) members.push(userId);
    assert.deepEqual(members, ['lea', 7]);
    await api.notify(room, 'Five minutes\nleft');
    assert.equal((await lea.next('room:notice')).text, 'Five minutes\nleft');
    await api.kick(room, 7);
    await kim.next('room:removed');
    await refused(api.kick(room, 7), 'NO_SUCH_MEMBER', 404);
    const { attendees } = await api.attendance(room);
    assert.deepEqual(
      attendees.map(({ userId, stays }) => [userId, stays[0].ending]),
      [
        ['lea', undefined],
        [7, 'removed'],
      ],
    );
    await api.end(room);
    assert.equal((await lea.next('room:ended')).reason, 'ended');
    await refused(api.notify(room, 'Too late'), 'NOT_LIVE', 404);
  });

  test('the timer is set and started', async () => {
    const room = await define();
    const lea = await enter(room, 'lea');
    const set = { command: 'timer:set', data: { mode: 'countdown', durationMs: MINUTE }, id: 'c-1' };
    const { timer } = await api.commandTimer(room, set);
    assert.deepEqual([timer.state, timer.plan.durationMs], ['idle', MINUTE]);
    await api.commandTimer(room, { command: 'timer:start', data: {} });
    await lea.next('timer:changed', ({ timer }) => timer.state === 'running');
    const { seq } = await api.commandTimer(room, set);
    const again = await api.commandTimer(room, set);
    assert.deepEqual([again.seq, again.timer.state], [seq, 'running'], 'the id makes it one command');
  });

  for (const transport of TRANSPORTS) {
    test(`the platform allows, changes and refuses messages (${transport})`, async () => {
      const room = await define();
      const lea = await enter(room, 'lea');
      const kim = await enter(room, 7, transport);
      await command(kim, 'chat:send', { text: 'Hello', id: 'mine' });
      assert.equal((await lea.next('chat:message')).message.text, 'Hello');
      const { webhookId, ...question } = asked.at(-1);
      assert.deepEqual(question, { type: 'chat.message', roomId: room, userId: '7', commandId: 'mine', text: 'Hello' });
      assert.ok(webhookId);
      const { message } = await command(kim, 'chat:send', { text: 'darn' });
      assert.deepEqual([message.text, (await lea.next('chat:message')).message.text], ['****', '****']);
      const { code, message: reason } = await kim.request('chat:send', { text: 'rude' });
      assert.deepEqual([code, reason], ['MESSAGE_REFUSED', 'Be kind.']);
    });
  }

  test('a platform with another secret checks nothing', async () => {
    const room = await define();
    const lea = await enter(room, 'lea');
    const [listener] = platform.listeners('request');
    const stranger = new ChatHook(`whsec_${randomBytes(24).toString('base64')}`);
    platform.removeAllListeners('request');
    platform.on('request', stranger.listener(allow));
    try {
      assert.equal((await lea.request('chat:send', { text: 'Hello' })).code, 'UNAVAILABLE');
    } finally {
      platform.removeAllListeners('request');
      platform.on('request', listener);
    }
  });

  test('messages are read and moderated', async () => {
    const room = await define();
    const lea = await enter(room, 'lea');
    const texts = ['one', 'two', 'three'];
    for (const text of texts) await command(lea, 'chat:send', { text });
    const all = [];
    for await (const { text } of api.eachMessage(room)) all.push(text);
    assert.deepEqual(all, texts);
    const { messages, more } = await api.history(room, { limit: 2 });
    assert.deepEqual([messages.map(({ text }) => text), more], [['two', 'three'], true]);
    await api.commandChat(room, { command: 'chat:delete', data: { number: messages[0].number } });
    assert.equal((await lea.next('chat:deleted')).deletes, messages[0].number);
    await api.commandChat(room, { command: 'chat:mute', data: { userId: 'lea', forMs: MINUTE } });
    assert.equal((await lea.request('chat:send', { text: 'four' })).code, 'MUTED');
  });

  test('snippets are listed, read and closed', async () => {
    const room = await define();
    const lea = await enter(room, 'lea');
    const { snippet } = await command(lea, 'code:share', { text: 'print(7)', language: 'python' });
    const { snippets } = await api.snippets(room);
    assert.deepEqual(snippets, [snippet]);
    assert.equal((await api.snippet(room, snippet.number)).text, 'print(7)');
    await api.closeSnippet(room, snippet.number);
    assert.equal((await lea.next('code:closed')).number, snippet.number);
    await refused(api.snippet(room, snippet.number), 'NO_SUCH_SNIPPET', 404);
  });

  test('a token for sweeps sweeps, and does nothing else', async () => {
    const sweeper = new RollcallApi({ url: harness.appUrl, token: SWEEP_TOKEN });
    assert.equal(typeof (await sweeper.sweep()).settled, 'number');
    assert.equal(typeof (await sweeper.sweepByPath(SWEEP_TOKEN)).settled, 'number');
    await refused(sweeper.list(), 'UNAUTHORIZED', 401);
  });

  test('a user reads the own room with the own token', async () => {
    const room = await define({ members: ['kim'] });
    await enter(room, 'kim');
    const reader = (userId) => new RollcallApi({ url: harness.appUrl, token: signer.sign({ userId }) });
    assert.equal((await reader('kim').members(room)).count, 1);
    await refused(reader('ben').members(room), 'NOT_A_MEMBER', 403);
  });
});
