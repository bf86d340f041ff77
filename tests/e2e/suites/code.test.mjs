import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { loseFirstResponse, passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { Bridge } from '../harness/bridge.mjs';
import { command } from '../harness/command.mjs';
import { Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const FEATURES = { SPIN_VARIABLE_FEATURES: 'code chat', SPIN_VARIABLE_CODE_MS: `${10 * MINUTE}` };

const LONGEST = 64 * 1024;

describe('code', { timeout: 900_000 }, () => {
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
    test(`a member shares, others read and change, and the author closes (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.enter(room);
      await kim.enter(room);
      const text = '\tif a < "b" {\r\n\t}\n// 정렬 \u202e\\ / </script>\n';
      const clean = '\tif a < "b" {\n\t}\n// 정렬 \\ / </script>\n';
      const payload = { id: 'mine', title: ' Sort\u200b ', language: 'rust', editors: 'everybody', text };
      const { snippet, seq, epoch } = await command(kim, 'code:share', payload);
      const { id, title, language, editors, version, bytes, userId } = snippet;
      assert.deepEqual(
        [id, title, language, editors, version, bytes, userId],
        ['mine', 'Sort', 'rust', 'everybody', 1, Buffer.byteLength(clean), 'kim'],
      );
      for (const member of [lea, kim]) {
        const event = await member.next('code:shared');
        assert.deepEqual([event.snippet, event.text, event.seq, event.epoch], [snippet, clean, seq, epoch]);
      }
      const { number } = snippet;
      const { snippet: second } = await command(lea, 'code:update', { number, version: 1, text: 'two', title: null });
      assert.deepEqual([second.version, second.updatedBy.userId, second.title], [2, 'lea', undefined]);
      assert.deepEqual((await kim.next('code:updated')).snippet, second);

      const ali = await harness.connect(transport, 'ali', { bridge: 1 });
      await ali.enter(room);
      assert.deepEqual((await command(ali, 'code:list')).snippets, [second]);
      const content = await command(ali, 'code:get', { number });
      assert.deepEqual([content.snippet, content.text], [second, 'two']);

      const late = await ali.request('code:update', { number, version: 1, text: 'lost' });
      assert.deepEqual([late.success, late.code], [false, 'VERSION_CONFLICT']);
      assert.deepEqual([late.current.snippet, late.current.text], [second, 'two']);

      assert.equal((await ali.request('code:close', { number })).code, 'NOT_ALLOWED');
      await command(kim, 'code:close', { number });
      const closed = await ali.next('code:closed');
      assert.deepEqual([closed.number, closed.by.userId], [number, 'kim']);
      assert.deepEqual((await command(ali, 'code:list')).snippets, []);
    });

    test(`the longest snippet arrives, and a longer one is refused by name (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.enter(room);
      await kim.enter(room);
      const longest = 'let 가 = "x";\t// …\n'
        .repeat(LONGEST)
        .slice(0, LONGEST / 2)
        .padEnd(LONGEST, '/');
      const text = Buffer.from(longest).subarray(0, LONGEST).toString().replaceAll('\ufffd', '');
      const { snippet } = await command(kim, 'code:share', { text });
      const event = await lea.next('code:shared');
      assert.deepEqual([event.snippet, event.text], [snippet, undefined], 'who looks at it asks for it');
      assert.equal((await command(lea, 'code:get', { number: snippet.number })).text, text);
      const refused = await kim.request('code:share', { text: 'x'.repeat(LONGEST + 1) });
      assert.equal(refused.code, 'MALFORMED');
      assert.match(refused.message, /at most 65536 bytes/);
      assert.equal((await command(kim, 'code:list')).snippets.length, 1);
    });

    test(`refusals say what to do and change nothing (${transport})`, async () => {
      const room = await harness.room();
      const [lea, kim] = [await harness.connect(transport, 'lea'), await harness.connect(transport, 'kim')];
      const code = async (member, event, payload) => (await member.request(event, payload)).code;
      assert.equal(await code(kim, 'code:share', { text: 'x' }), 'NOT_IN_ROOM');
      await lea.enter(room);
      await kim.enter(room);
      const { snippet } = await command(lea, 'code:share', { text: 'x' });
      const { number } = snippet;
      assert.equal(await code(kim, 'code:update', { number, version: 1, text: 'y' }), 'NOT_ALLOWED');
      assert.equal(await code(kim, 'code:update', { number: 7, version: 1, text: 'y' }), 'NO_SUCH_SNIPPET');
      assert.equal(await code(kim, 'code:get', { number: 7 }), 'NO_SUCH_SNIPPET');
      for (const [event, payload, reason] of [
        ['code:share', {}, /text/],
        ['code:share', { text: 7 }, /string/],
        ['code:share', { text: 'x', language: 'C++;' }, /language must be/],
        ['code:share', { text: 'x', title: 'x'.repeat(101) }, /100 characters/],
        ['code:share', { text: 'x', editors: 'all' }, /everybody/],
        ['code:share', 'x', /object/],
        ['code:update', { number }, /version/],
        ['code:update', { number, version: -1 }, /u64/],
        ['code:close', {}, /number/],
        ['code:get', { number: '7' }, /u64/],
      ]) {
        const ack = await kim.request(event, payload);
        assert.equal(ack.code, 'MALFORMED', `${event} ${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
        assert.match(ack.message, reason);
      }
      for (let count = 0; count < 5; count += 1) await command(kim, 'code:share', { text: `${count}` });
      assert.equal(await code(kim, 'code:share', { text: '5' }), 'TOO_MANY_SNIPPETS');
      assert.deepEqual((await command(kim, 'code:list')).snippets[0], snippet);
    });
  }

  test('of many changes of one version one is applied, and nobody loses what they typed', async () => {
    const room = await harness.room();
    const members = [];
    for (const [index, user] of ['lea', 'kim', 'ali', 'ben'].entries()) {
      const member = await (index % 2 ? harness.webSocket(user, { bridge: 1 }) : harness.socketIo(user));
      await member.enter(room);
      members.push(member);
    }
    let { snippet } = await command(members[0], 'code:share', { text: '', editors: 'everybody' });
    const { number } = snippet;
    const type = async (member, line) => {
      let current = { snippet, text: '' };
      for (;;) {
        const { version } = current.snippet;
        const ack = await member.request('code:update', { number, version, text: `${current.text}${line}\n` });
        if (ack.success) return;
        assert.equal(ack.code, 'VERSION_CONFLICT');
        current = ack.current;
      }
    };
    const lines = members.flatMap((member, index) => [1, 2, 3].map((line) => [member, `${index}.${line}`]));
    await Promise.all(lines.map(([member, line]) => type(member, line)));
    const content = await command(members[1], 'code:get', { number });
    assert.deepEqual(content.text.trim().split('\n').sort(), lines.map(([, line]) => line).sort());
    assert.equal(content.snippet.version, lines.length + 1);
    ({ snippet } = content);
    for (const member of members) {
      await member.next('code:updated', (event) => event.snippet.version === snippet.version);
    }
  });

  test('a change whose ack was lost is applied once, whoever sends it again', async () => {
    const room = await harness.room();
    const kim = await harness.socketIo('kim', { bridge: 1 });
    const { resumeToken } = await kim.enter(room);
    const countCalls = loseFirstResponse(proxy, '/events/code');
    const { snippet } = await command(kim, 'code:share', { id: 'c-1', text: 'one' });
    assert.equal(countCalls(), 2, 'the bridge sends it again');
    const change = { id: 'c-2', number: snippet.number, version: 1, text: 'two' };
    const { snippet: second } = await command(kim, 'code:update', change);
    kim.terminate();
    const back = await harness.webSocket('kim');
    await back.enter(room, { resumeToken });
    assert.deepEqual((await command(back, 'code:share', { id: 'c-1', text: 'one' })).snippet, second);
    assert.deepEqual((await command(back, 'code:update', change)).snippet, second);
    assert.deepEqual((await command(back, 'code:list')).snippets, [second]);
  });

  test('operators read and close snippets, and read those that are kept', async () => {
    const room = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.webSocket('kim', { bridge: 1 })];
    await lea.enter(room);
    await kim.enter(room);
    const { snippet } = await command(kim, 'code:share', { text: 'print("hi")\n' });
    const { snippet: other } = await command(lea, 'code:share', { text: 'kept' });
    const call = (method, rest) => harness.api(method, `/rooms/${room}/snippets${rest}`);
    assert.deepEqual((await (await call('GET', '')).json()).snippets, [snippet, other]);
    const content = await (await call('GET', `/${snippet.number}`)).json();
    assert.deepEqual([content.snippet, content.text], [snippet, 'print("hi")\n']);
    assert.equal((await call('DELETE', `/${snippet.number}`)).status, 204);
    const closed = await kim.next('code:closed');
    assert.deepEqual([closed.number, closed.by], [snippet.number, undefined]);
    assert.equal((await call('DELETE', `/${snippet.number}`)).status, 404);
    assert.equal((await call('GET', '/first')).status, 400);

    await command(lea, 'chat:mute', { userId: 'kim' });
    assert.equal((await kim.request('code:share', { text: 'x' })).code, 'MUTED');
    const features = (list) => harness.api('PATCH', `/rooms/${room}`, { features: list });
    assert.equal((await features(['chat'])).status, 200);
    assert.equal((await lea.request('code:list')).code, 'FEATURE_OFF');
    assert.equal((await harness.api('POST', `/rooms/${room}/end`)).status, 204);
    assert.equal((await (await call('GET', `/${other.number}`)).json()).text, 'kept');
    await harness.redis.advance(10 * MINUTE + 1000);
    assert.equal((await call('GET', '')).status, 404);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});

describe('code while servers are killed', { timeout: 900_000 }, () => {
  const WRITERS = ['ali', 'ben', 'kim', 'zoe'];
  const LINES = 8;

  /** Adds a line until that is acknowledged, over new connections if need be. */
  async function addLine(writer, number, line) {
    for (let attempt = 0; ; ) {
      try {
        writer.member ??= await writer.connect();
        writer.known ??= await command(writer.member, 'code:get', { number });
        const { snippet, text } = writer.known;
        const payload = { id: `${line}-${attempt}`, number, version: snippet.version, text: `${text}${line}\n` };
        const ack = await writer.member.request('code:update', payload);
        if (ack.success) {
          writer.known = undefined;
          return;
        }
        if (ack.code === 'NOT_IN_ROOM') writer.member = undefined;
        if (ack.code === 'VERSION_CONFLICT') {
          writer.known = ack.current;
          attempt += 1;
        }
      } catch {
        writer.member = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('no line is lost or doubled when bridges, the app and Redis die', async () => {
    const harness = await Harness.start({ persistent: true, variables: FEATURES });
    try {
      const room = await harness.room({ duplicates: 'share' });
      harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl }));
      const lea = await harness.socketIo('lea', { bridge: 0 });
      await lea.enter(room);
      const { snippet } = await command(lea, 'code:share', { text: '', editors: 'everybody' });
      const writers = WRITERS.map((user) => ({
        connect: async () => {
          const member = await harness.webSocket(user, { bridge: harness.bridges.length - 1 });
          await member.enter(room);
          return member;
        },
      }));
      const written = [];
      let isOver = false;
      const done = Promise.all(
        writers.map(async (writer, index) => {
          for (let number = 0; number < LINES || !isOver; number += 1) {
            const line = `${WRITERS[index]}.${number}`;
            await addLine(writer, snippet.number, line);
            written.push(line);
          }
        }),
      );
      for (let round = 0; round < 2; round += 1) {
        const seen = written.length;
        await until(() => written.length > seen, 'a line is acknowledged');
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
      const { text, snippet: final } = await command(last, 'code:get', { number: snippet.number });
      assert.deepEqual(text.trim().split('\n').sort(), written.sort(), 'each once');
      assert.equal(final.version, written.length + 1);
    } finally {
      await harness.stop();
    }
  });
});
