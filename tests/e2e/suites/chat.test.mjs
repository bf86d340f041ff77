import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { loseFirstResponse, passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { Bridge } from '../harness/bridge.mjs';
import { command } from '../harness/command.mjs';
import { Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { Platform } from '../harness/platform.mjs';
import { until } from '../harness/wait.mjs';

const FEATURES = { SPIN_VARIABLE_FEATURES: 'chat' };

/** Reads all that came after a number, page by page. */
async function readAfter(member, after, limit = 3) {
  const messages = [];
  const deleted = [];
  for (;;) {
    const page = await command(member, 'chat:history', { after, limit });
    messages.push(...page.messages);
    deleted.push(...page.deleted);
    if (!page.more) return { messages, deleted };
    after = page.last;
  }
}

const textsOf = (messages) => messages.map(({ text }) => text);

describe('chat', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy({ persistent: true, variables: FEATURES });
  });
  afterEach(() => passAgain(proxy));
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  for (const transport of TRANSPORTS) {
    test(`members write, and who comes later reads (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.enter(room);
      await kim.enter(room);
      const text = 'Chapter 3?\n<script>alert("안녕")</script>';
      const { message, seq, epoch } = await command(kim, 'chat:send', { id: 'mine', text: `  ${text}\u202e ` });
      assert.deepEqual([message.id, message.userId, message.text], ['mine', 'kim', text]);
      for (const member of [lea, kim]) {
        const event = await member.next('chat:message');
        assert.deepEqual([event.message, event.seq, event.epoch], [message, seq, epoch]);
      }
      const { message: second } = await command(lea, 'chat:send', { text: 'Yes' });
      assert.equal(second.number, message.number + 1);
      await kim.next('chat:message', ({ message: { number } }) => number === second.number);

      const ali = await harness.connect(transport, 'ali', { bridge: 1 });
      await ali.enter(room);
      const history = await command(ali, 'chat:history');
      assert.deepEqual([history.messages, history.deleted, history.more], [[message, second], [], false]);
      const response = await harness.api('GET', `/rooms/${room}/messages?limit=1`);
      const page = await response.json();
      assert.deepEqual([textsOf(page.messages), page.more], [['Yes'], true]);
    });

    test(`refusals say what to do and change nothing (${transport})`, async () => {
      const room = await harness.room();
      const [lea, kim] = [await harness.connect(transport, 'lea'), await harness.connect(transport, 'kim')];
      const code = async (member, event, payload) => (await member.request(event, payload)).code;
      assert.equal(await code(kim, 'chat:send', { text: 'x' }), 'NOT_IN_ROOM');
      await lea.enter(room);
      await kim.enter(room);
      const { message } = await command(lea, 'chat:send', { text: 'Hello' });
      assert.equal(await code(kim, 'chat:delete', { number: message.number }), 'NOT_ALLOWED');
      assert.equal(await code(kim, 'chat:delete', { number: 7 }), 'NO_SUCH_MESSAGE');
      assert.equal(await code(kim, 'chat:mute', { userId: 'lea' }), 'NOT_ALLOWED');
      for (const [event, payload, reason] of [
        ['chat:send', {}, /text/],
        ['chat:send', { text: ' \n' }, /2000 characters/],
        ['chat:send', { text: 'x'.repeat(2001) }, /2000 characters/],
        ['chat:send', { text: ['x'] }, /string/],
        ['chat:send', 'x', /object/],
        ['chat:delete', { number: '7' }, /u64/],
        ['chat:history', { limit: 101 }, /from 1 to 100/],
        ['chat:history', { before: 1, after: 1 }, /exclude/],
        ['chat:slow', { intervalMs: -1 }, /u64/],
        ['chat:mute', {}, /userId/],
      ]) {
        const ack = await kim.request(event, payload);
        assert.equal(ack.code, 'MALFORMED', `${event} ${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
        assert.match(ack.message, reason);
      }
      assert.deepEqual(textsOf((await command(kim, 'chat:history')).messages), ['Hello']);
    });
  }

  test('a client that was away learns what was written and what was deleted, each once', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await lea.enter(room);
    await kim.enter(room);
    const sent = [];
    for (const text of ['1', '2', '3']) sent.push((await command(lea, 'chat:send', { text })).message);
    await kim.next('chat:message', ({ message }) => message.text === '3');
    kim.terminate();
    await lea.next('room:participantReconnecting');
    await command(lea, 'chat:delete', { number: sent[1].number });
    for (const text of ['4', '5', '6', '7', '8']) await command(lea, 'chat:send', { text });
    const back = await harness.socketIo('kim');
    await back.enter(room);
    const { messages, deleted } = await readAfter(back, sent[2].number);
    assert.deepEqual([textsOf(messages), deleted], [['4', '5', '6', '7', '8'], [sent[1].number]]);
  });

  test('the leader deletes, mutes and slows down, and so does an operator', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea');
    const kim = await harness.webSocket('kim', { bridge: 1 });
    await lea.enter(room);
    await kim.enter(room);
    const { message } = await command(kim, 'chat:send', { text: 'Spam' });
    await command(lea, 'chat:delete', { number: message.number });
    const deletion = await kim.next('chat:deleted');
    assert.deepEqual([deletion.deletes, deletion.by.userId], [message.number, 'lea']);
    await command(lea, 'chat:mute', { userId: 'kim', forMs: MINUTE });
    const { userId, mutedUntil, now } = await kim.next('room:muted');
    assert.deepEqual([userId, mutedUntil - now], ['kim', MINUTE]);
    assert.equal((await kim.request('chat:send', { text: 'Again' })).code, 'MUTED');
    await harness.redis.advance(MINUTE);
    await command(kim, 'chat:send', { text: 'Sorry' });
    await command(lea, 'chat:slow', { intervalMs: MINUTE });
    await kim.next('chat:slowed', ({ slowMs }) => slowMs === MINUTE);
    await command(kim, 'chat:send', { text: 'One' });
    assert.equal((await kim.request('chat:send', { text: 'Two' })).code, 'SLOW_MODE');

    const post = (body) => harness.api('POST', `/rooms/${room}/chat`, body);
    assert.equal((await post({ command: 'chat:slow', data: { intervalMs: 0 } })).status, 200);
    assert.equal((await kim.next('chat:slowed')).by, undefined);
    assert.equal((await post({ command: 'chat:mute', data: { userId: 'lea' }, id: 'once' })).status, 200);
    await kim.next('room:muted', (muted) => muted.userId === 'lea');
    assert.equal((await lea.request('chat:send', { text: 'x' })).code, 'MUTED');
    assert.equal((await post({ command: 'chat:unmute', data: { userId: 'lea' } })).status, 200);
    await kim.next('room:unmuted');
    await command(lea, 'chat:send', { text: 'Back' });
    assert.equal((await post({ command: 'chat:delete', data: { number: 1 } })).status, 404);
    assert.equal((await post({ command: 'chat:send', data: { text: 'x' } })).status, 400);
    const features = (list) => harness.api('PATCH', `/rooms/${room}`, { features: list });
    assert.equal((await features([])).status, 200);
    assert.equal((await kim.request('chat:send', { text: 'x' })).code, 'FEATURE_OFF');
    assert.equal((await features(null)).status, 200);
    await command(kim, 'chat:send', { text: 'On again' });
  });

  test('a message whose ack was lost is there once, whoever sends it again', async () => {
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: 1 });
    const { resumeToken } = await kim.enter(room);
    const countCalls = loseFirstResponse(proxy, '/events/chat');
    const { message } = await command(kim, 'chat:send', { id: 'c-1', text: 'Hello' });
    assert.equal(countCalls(), 2, 'the bridge sends the message again');
    kim.terminate();
    const back = await harness.webSocket('kim');
    await back.enter(room, { resumeToken });
    assert.deepEqual((await command(back, 'chat:send', { id: 'c-1', text: 'Hello' })).message, message);
    assert.deepEqual((await command(back, 'chat:history')).messages, [message]);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});

describe('chat with a platform that checks messages', { timeout: 900_000 }, () => {
  const SECRET = 'whsec_Y2hhdC1ob29rLXNlY3JldC1vZi10aGUtdGVzdHM=';
  let [harness, platform, kim, lea] = [];
  before(async () => {
    platform = await Platform.start(SECRET);
    harness = await Harness.start({ variables: { ...FEATURES, ...platform.variables('refuse') } });
    const room = await harness.room();
    lea = await harness.socketIo('lea');
    kim = await harness.webSocket('kim');
    await lea.enter(room);
    await kim.enter(room);
  });
  after(async () => {
    await harness?.stop();
    platform?.stop();
  });

  test('members see what the platform allows, as it returns it', async () => {
    platform.answer = { allow: true };
    await command(kim, 'chat:send', { id: 'c-1', text: 'Hello' });
    assert.equal((await lea.next('chat:message')).message.text, 'Hello');
    const { type, roomId, userId, commandId, text } = platform.asked.at(-1);
    assert.deepEqual([type, roomId, userId, commandId, text], ['chat.message', 'algebra-1', 'kim', 'c-1', 'Hello']);
    platform.answer = { allow: true, text: 'H****\u202e' };
    await command(kim, 'chat:send', { text: 'Hell!' });
    assert.equal((await lea.next('chat:message')).message.text, 'H****');
    platform.answer = undefined;
    await command(kim, 'chat:send', { text: 'No content' });
    assert.equal((await lea.next('chat:message')).message.text, 'No content');
  });

  test('the author of a refused message gets the reason, and nobody sees the message', async () => {
    platform.answer = { allow: false, reason: 'Be\nkind.' };
    const { code, message } = await kim.request('chat:send', { text: 'Idiot' });
    assert.deepEqual([code, message], ['MESSAGE_REFUSED', 'Be kind.']);
    platform.answer = { allow: false };
    assert.equal((await kim.request('chat:send', { text: 'Idiot' })).code, 'MESSAGE_REFUSED');
    platform.answer = { allow: true };
    await lea.assertNoEvents(() => command(kim, 'chat:send', { text: 'Sorry' }), 'chat:message');
  });

  test('the platform is asked only about what the room would take, and not again about what it has', async () => {
    platform.answer = { allow: true };
    const { message } = await command(kim, 'chat:send', { id: 'twice', text: 'Once' });
    const asked = platform.asked.length;
    platform.answer = { allow: false };
    assert.deepEqual((await command(kim, 'chat:send', { id: 'twice', text: 'Once' })).message, message);
    await command(lea, 'chat:mute', { userId: 'kim' });
    assert.equal((await kim.request('chat:send', { text: 'Hello?' })).code, 'MUTED');
    await command(lea, 'chat:unmute', { userId: 'kim' });
    assert.equal(platform.asked.length, asked);
  });

  test('without an answer, the author may try again', async () => {
    for (const broken of [{ allow: 'maybe' }, { allow: true, text: '' }, [true], 500, 302, 'silence']) {
      platform.answer = broken;
      const ack = await kim.request('chat:send', { id: 'again', text: 'Hello?' });
      assert.equal(ack.code, 'UNAVAILABLE', JSON.stringify(broken));
    }
    platform.answer = { allow: true };
    await command(kim, 'chat:send', { id: 'again', text: 'Hello?' });
    await lea.next('chat:message', ({ message }) => message.text === 'Hello?');
    assert.equal(new Set(platform.asked.slice(-7).map(({ webhookId }) => webhookId)).size, 1);
    assert.ok(!harness.bridges[0].child.lines.some((line) => line.includes(SECRET)), 'the log holds no secret');
  });

  test('a deployment may let messages through without an answer', async () => {
    const lenient = await Harness.start({ variables: { ...FEATURES, ...platform.variables('allow') } });
    try {
      const max = await lenient.socketIo('max');
      await max.enter(await lenient.room());
      platform.answer = 500;
      assert.equal((await command(max, 'chat:send', { text: 'Hello' })).message.text, 'Hello');
      platform.answer = { allow: false };
      assert.equal((await max.request('chat:send', { text: 'Hello' })).code, 'MESSAGE_REFUSED');
    } finally {
      await lenient.stop();
    }
  });
});

describe('chat while servers are killed', { timeout: 900_000 }, () => {
  const WRITERS = ['ali', 'ben', 'kim', 'zoe'];
  const MESSAGES = 16;

  /** Sends a message until it is acknowledged, over new connections if need be. */
  async function deliver(writer, payload) {
    for (;;) {
      try {
        writer.member ??= await writer.connect();
        const ack = await writer.member.request('chat:send', payload);
        if (ack.success) return ack.data.message;
        if (ack.code === 'NOT_IN_ROOM') writer.member = undefined;
      } catch {
        writer.member = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('no message is lost or doubled when bridges, the app and Redis die', async () => {
    const harness = await Harness.start({ persistent: true, variables: FEATURES });
    try {
      const room = await harness.room({ duplicates: 'share' });
      harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl }));
      const writers = WRITERS.map((user) => ({
        connect: async () => {
          const member = await harness.webSocket(user, { bridge: harness.bridges.length - 1 });
          await member.enter(room);
          return member;
        },
      }));
      const [sent, acknowledged] = [[], []];
      let isOver = false;
      const done = Promise.all(
        writers.map(async (writer, index) => {
          for (let number = 0; number < MESSAGES || !isOver; number += 1) {
            const payload = { id: `${WRITERS[index]}-${number}`, text: `${WRITERS[index]} ${number}` };
            sent.push(payload.id);
            acknowledged.push(await deliver(writer, payload));
          }
        }),
      );
      for (let round = 0; round < 2; round += 1) {
        const seen = acknowledged.length;
        await until(() => acknowledged.length > seen, 'a message is acknowledged');
        const killed = harness.bridges.at(-1);
        harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl }));
        await killed.child.kill('SIGKILL');
        await harness.redis.crash();
        await harness.redis.restart();
        await harness.restartApp();
      }
      isOver = true;
      await done;
      const last = await harness.socketIo('max');
      await last.enter(room);
      const { messages } = await readAfter(last, 0, 10);
      assert.deepEqual(messages.map(({ id }) => id).sort(), sent.sort(), 'each once');
      const numbers = messages.map(({ number }) => number);
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
      for (const message of acknowledged.filter(Boolean)) {
        assert.deepEqual(
          messages.find(({ id }) => id === message.id),
          message,
        );
      }
    } finally {
      await harness.stop();
    }
  });
});
