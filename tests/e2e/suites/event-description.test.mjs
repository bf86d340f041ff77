import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { Parser } from '@asyncapi/parser';
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';

import { command } from '../harness/command.mjs';
import { CHANNELS, Description, record } from '../harness/description.mjs';
import { about, changed, entered, Harness, HOUR, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { tokenFor } from '../harness/tokens.mjs';

const VARIABLES = { SPIN_VARIABLE_FEATURES: 'timer status chat code lobby', ROLLCALL_LOBBY_INTERVAL_MS: '200' };

/** The bridge of all clients. The other one runs the app. */
const CLIENTS = 1;

/** Real time: tokens expire by the clocks of those who issue them. */
const SHORT_S = 2;

/** Diagnoses of this severity are errors; those below are advice. */
const ERROR = 0;

const read = (path) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

const base64 = (bytes) => Buffer.from(bytes).toString('base64');

describe('the description of events', { timeout: 900_000 }, () => {
  let harness;
  let description;
  /** All messages of all clients. */
  const messages = [];
  before(async () => {
    harness = await Harness.start({ bridges: 2, variables: VARIABLES });
    const response = await fetch(`${bridge().url}/asyncapi.json`);
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/json']);
    description = new Description(await response.json());
  });
  after(() => harness?.stop());

  const bridge = () => harness.bridges[CLIENTS];

  test('anybody can read it from any page, and it is a valid AsyncAPI 3.0 document', async () => {
    const url = `${bridge().url}/asyncapi.json`;
    const response = await fetch(url, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.equal(await response.text(), await read('docs/asyncapi.json'));
    const { document, diagnostics } = await new Parser().parse(JSON.stringify(description.document));
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === ERROR),
      [],
    );
    assert.equal(document.version(), '3.0.0');
  });

  test('references of operations lead to messages, and each message belongs to an operation', () => {
    const { channels, operations } = description.document;
    const used = new Set();
    for (const { channel, messages: own, reply } of Object.values(operations)) {
      for (const { $ref } of [...own, ...(reply?.messages ?? [])]) {
        const [name, key] = $ref.slice('#/channels/'.length).split('/messages/');
        assert.ok(channels[name].messages[key], $ref);
        assert.equal(channel.$ref, `#/channels/${name}`);
        used.add($ref);
      }
    }
    for (const name of Object.keys(channels)) {
      for (const key of description.messages(name)) assert.ok(used.has(`#/channels/${name}/messages/${key}`), key);
    }
  });

  test('each example is a message as described', () => {
    for (const [name, { messages: described }] of Object.entries(description.document.channels)) {
      for (const [key, { examples }] of Object.entries(described)) {
        assert.ok(examples.length > 0, key);
        for (const { payload } of examples) assert.equal(description.problem(name, key, payload), null);
      }
    }
  });

  test('a message that is not as described is noticed', () => {
    const problem = (payload) => description.problem('socketIo', 'server.room.replaced', payload);
    assert.equal(problem({ groupId: 12 }), null);
    assert.match(problem({}), /required property 'groupId'/);
    assert.match(problem({ groupId: 12, seq: 1 }), /unevaluated/);
    assert.match(problem({ groupId: 1.5 }), /type|must be/);
    const member = { userId: 7, userName: 'Kim', joinedAt: 1, state: 'present' };
    const started = (...members) => ({
      groupId: 1,
      startedAt: 1,
      endAt: 2,
      hostId: 7,
      members,
      count: 1,
      epoch: 1,
      seq: 1,
    });
    const startedProblem = (data) =>
      description.problem('webSocket', 'server.room.started', { event: 'room:started', data });
    assert.equal(startedProblem(started(member)), null);
    assert.match(startedProblem(started({ ...member, age: 7 })), /unevaluated/, 'also inside of lists');
    assert.match(startedProblem(started({ ...member, state: 'gone' })), /allowed values/);
    assert.match(description.problem('socketIo', 'server.room.burnt', {}), /is not described/);
  });

  for (const transport of TRANSPORTS) {
    /** A client whose messages are recorded. */
    async function connect(user, { expiresInS } = {}) {
      const token = await tokenFor(user, { expiresInS, claims: { userRole: 'student' } });
      const member = harness.client(transport, { bridge: CLIENTS, auth: { token }, token });
      member.user = user;
      record(transport, member, messages);
      return member.connected();
    }

    /** A room with its leader Lea, and Kim. */
    async function roomOfTwo() {
      const room = await harness.room({ lastsMs: HOUR });
      const [lea, kim] = [await connect('lea'), await connect('kim')];
      await lea.enter(room);
      await lea.next('room:started');
      await kim.enter(room);
      await lea.next('room:participantsChanged', entered('kim'));
      return { room, lea, kim };
    }

    const operate = async (method, path, body) => {
      const response = await harness.api(method, path, body);
      assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    };

    test(`members come, drop, return, move and go as described (${transport})`, async () => {
      const { room, lea, kim } = await roomOfTwo();
      const watcher = await connect('watcher');
      await command(watcher, 'lobby:watch', { ids: [room, 'no-such-room'] });
      const bo = await connect('bo');
      await bo.enter(room);
      await watcher.next('lobby:changed');
      await command(kim, 'member:update', { status: 'focusing', goal: 'Chapter 3' });
      await lea.next('room:memberUpdated');
      await command(kim, 'member:update', { id: 'c-1', status: null, goal: null });
      await command(bo, 'room:leave', {});
      await lea.next('room:participantsChanged', changed('left', 'bo'));

      kim.terminate();
      await lea.next('room:participantReconnecting', about('kim'));
      const back = await connect('kim');
      const { resumeToken } = await back.enter(room);
      await lea.next('room:participantReconnected', about('kim'));
      assert.equal((await (await connect('kim')).join(room)).code, 'ALREADY_JOINED');
      const resumed = await connect('kim');
      await resumed.enter(room, { resumeToken });
      await back.next('room:replaced');
      const token = await tokenFor('kim', { claims: { username: 'Kim K.' } });
      await command(resumed, 'auth:refresh', { token });
      await lea.next('room:participantsChanged', changed('updated', 'kim'));
      assert.equal((await resumed.request('auth:refresh', { token: 'x' })).code, 'TOKEN_INVALID');
      await operate('DELETE', `/rooms/${room}/members/kim`);
      await resumed.next('room:removed');
      await lea.next('room:participantsChanged', changed('removed', 'kim'));
    });

    test(`what operators do arrives as described (${transport})`, async () => {
      const { room, lea, kim } = await roomOfTwo();
      await operate('POST', `/rooms/${room}/notices`, { text: 'Five minutes left' });
      await kim.next('room:notice');
      await operate('PATCH', `/rooms/${room}`, { leaderId: 'kim' });
      await lea.next('room:leaderChanged');
      await lea.next('room:hostChanged');
      const endAt = (await harness.redis.now()) + 20 * MINUTE;
      await operate('PATCH', `/rooms/${room}`, { endAt });
      await lea.next('room:rescheduled');
      await operate('POST', `/rooms/${room}/timer`, { command: 'timer:set', data: { mode: 'stopwatch' } });
      await lea.next('timer:changed');
      await harness.redis.advance(endAt - 10 * MINUTE - (await harness.redis.now()));
      await lea.next('room:reminder');
      await operate('POST', `/rooms/${room}/end`);
      await lea.next('room:ended');
    });

    test(`the timer runs as described (${transport})`, async () => {
      const { lea } = await roomOfTwo();
      assert.equal((await lea.request('timer:start', {})).code, 'NO_TIMER');
      await command(lea, 'timer:set', { mode: 'countdown', durationMs: 60_000 });
      await command(lea, 'timer:set', { id: 'c-1', mode: 'pomodoro', focusMs: 1000 });
      await command(lea, 'timer:start', {});
      await lea.next('timer:phaseChanged');
      for (const event of ['timer:pause', 'timer:resume', 'timer:skip', 'timer:reset']) await command(lea, event, {});
    });

    test(`the chat is as described (${transport})`, async () => {
      const { lea, kim } = await roomOfTwo();
      const { message } = await command(kim, 'chat:send', { id: 'c-1', text: 'Page 42?' });
      await lea.next('chat:message');
      await command(lea, 'chat:delete', { number: message.number });
      await kim.next('chat:deleted');
      await command(lea, 'chat:mute', { userId: 'kim', forMs: MINUTE });
      await kim.next('room:muted');
      assert.equal((await kim.request('chat:send', { text: 'x' })).code, 'MUTED');
      await command(lea, 'chat:unmute', { userId: 'kim' });
      await kim.next('room:unmuted');
      await command(lea, 'chat:slow', { intervalMs: 5000 });
      await kim.next('chat:slowed');
      await command(kim, 'chat:history', { limit: 10 });
      await command(kim, 'chat:history', { after: message.number });
    });

    test(`code and documents are as described, also after events may have been missed (${transport})`, async () => {
      const { room, lea, kim } = await roomOfTwo();
      const payload = { text: 'fn main() {}', title: 'Sort', language: 'rust', editors: 'everybody' };
      const { snippet } = await command(kim, 'code:share', payload);
      const { number } = snippet;
      await lea.next('code:shared');
      await command(lea, 'code:update', { number, version: 1, text: 'x', title: null, language: null });
      await kim.next('code:updated');
      const late = await lea.request('code:update', { number, version: 1, text: 'y' });
      assert.equal(late.code, 'VERSION_CONFLICT');
      await command(lea, 'code:get', { number });
      await command(lea, 'code:list', {});
      await command(kim, 'code:close', { number });
      await lea.next('code:closed');

      const together = (await command(kim, 'code:share', { text: '', editors: 'together' })).snippet.number;
      for (const member of [lea, kim]) await command(member, 'document:open', { number: together });
      const document = new Y.Doc();
      document.getText('text').insert(0, 'hi');
      const update = base64(Y.encodeStateAsUpdate(document));
      await command(kim, 'document:update', { number: together, update });
      await lea.next('document:updated');
      const awareness = new Awareness(document);
      const shown = base64(encodeAwarenessUpdate(awareness, [document.clientID]));
      awareness.destroy();
      await command(kim, 'document:awareness', { number: together, update: shown });
      await lea.next('document:awareness');
      await command(kim, 'document:close', { number: together });
      await command(kim, 'server:ping', {});

      await bridge().child.kill('SIGSTOP');
      try {
        await harness.redis.client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
        await operate('POST', `/rooms/${room}/notices`, { text: 'This is missed' });
      } finally {
        await bridge().child.kill('SIGCONT');
      }
      await lea.next('room:state');
      await lea.next('document:missed');
    });

    test(`errors outside a room are as described (${transport})`, async () => {
      const kim = await connect('kim', { expiresInS: SHORT_S });
      await kim.next('auth:expiring');
      if (transport === 'WebSocket') {
        kim.socket.send('no JSON');
        assert.equal((await kim.next('error')).code, 'MALFORMED');
        await kim.closed;
        return;
      }
      assert.equal((await kim.next('error')).code, 'TOKEN_EXPIRED');
      const stranger = harness.client(transport, { bridge: CLIENTS, auth: { token: 'x' } });
      record(transport, stranger, messages);
      await assert.rejects(stranger.connected(), { message: 'TOKEN_INVALID' });
    });
  }

  test('every message of every client was as described, and every described message came', async () => {
    const last = [];
    for (const transport of TRANSPORTS) {
      const member = await harness.connect(transport, 'last', { bridge: CLIENTS });
      record(transport, member, messages);
      last.push(member);
    }
    bridge().child.process.kill('SIGTERM');
    for (const member of last) await member.next('server:draining');

    const problems = new Set(messages.map(({ channel, key, payload }) => description.problem(channel, key, payload)));
    problems.delete(null);
    assert.deepEqual([...problems], []);
    for (const channel of Object.values(CHANNELS)) {
      const seen = new Set(messages.filter((message) => message.channel === channel).map(({ key }) => key));
      assert.deepEqual(
        description.messages(channel).filter((key) => !seen.has(key)),
        [],
        `messages of ${channel} that did not come`,
      );
    }
  });
});
