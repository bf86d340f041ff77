import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';

import { Bridge } from '../harness/bridge.mjs';
import { command } from '../harness/command.mjs';
import { converge, Editors } from '../harness/editor.mjs';
import { Harness, TRANSPORTS } from '../harness/harness.mjs';
import { until } from '../harness/wait.mjs';

const FEATURES = { SPIN_VARIABLE_FEATURES: 'code chat' };

/** Only the limits of documents matter here, and not those of sockets. */
const FLAGS = ['--events-per-second', '1000', '--events-per-second-per-user', '1000'];

const LONGEST_UPDATE = 67_584;
const LONGEST_AWARENESS = 2048;
const OPEN_DOCUMENTS = 8;
const WRITES_AT_ONCE = 20;

const encode = (bytes) => Buffer.from(bytes).toString('base64');
const decode = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const textOf = (doc) => doc.getText('text').toString();

/** The update of a change to a document. */
function updateOf(doc, change) {
  const updates = [];
  const collect = (update) => updates.push(update);
  doc.on('update', collect);
  doc.transact(() => change(doc.getText('text')));
  doc.off('update', collect);
  return encode(updates[0]);
}

/** A member's awareness state as an update. */
function awarenessUpdate(state) {
  const awareness = new Awareness(new Y.Doc());
  awareness.setLocalState(state);
  const update = encodeAwarenessUpdate(awareness, [awareness.clientID]);
  awareness.destroy();
  return update;
}

/** Opens a document; returns it as a Y.Doc, and how many updates it has had. */
async function open(member, number) {
  const { document, edit, snippet } = await command(member, 'document:open', { number });
  const doc = new Y.Doc();
  Y.applyUpdate(doc, decode(document));
  return { doc, edit, snippet };
}

const share = async (member, text = '') =>
  (await command(member, 'code:share', { text, editors: 'together' })).snippet.number;

const codeOf = async (member, event, payload) => (await member.request(event, payload)).code;

describe('documents', { timeout: 900_000 }, () => {
  let harness;
  let editors;
  before(async () => {
    harness = await Harness.start({ bridges: 2, flags: FLAGS, variables: FEATURES });
    editors = await Editors.start();
  });
  after(async () => {
    await editors?.stop();
    await harness?.stop();
  });

  /** Connected members of a new room, over both bridges in turn. */
  async function members(transport, ...users) {
    const room = await harness.room();
    const entered = [];
    for (const [index, user] of users.entries()) {
      const member = await harness.connect(transport, user, { bridge: index % 2 });
      await member.enter(room);
      entered.push(member);
    }
    return [room, ...entered];
  }

  for (const transport of TRANSPORTS) {
    test(`two editors in processes of their own, over two bridges, end up with the same text (${transport})`, async () => {
      const [room, lea] = await members(transport, 'lea');
      const number = await share(lea, 'fn main() {}\n');
      const [first, second] = harness.bridges;
      const kim = await editors.open('kim', { bridge: first, transport, room, number });
      const ali = await editors.open('ali', { bridge: second, transport, room, number });
      assert.equal(await ali.call('text'), 'fn main() {}\n');
      await Promise.all([kim.call('write', 'kim'), ali.call('write', 'ali')]);
      await until(async () => (await ali.call('text')).includes('kim.3'), 'ali sees lines of kim');
      await until(async () => (await kim.call('text')).includes('ali.3'), 'kim sees lines of ali');
      const written = [await kim.call('stopWriting'), await ali.call('stopWriting')].flat();
      const text = await converge([kim, ali]);
      assert.deepEqual(text.trim().split('\n').sort(), ['fn main() {}', ...written].sort(), 'each line once');

      const ben = await editors.open('ben', { bridge: first, transport, room, number });
      assert.equal(await ben.call('text'), text, 'who comes later gets everything');
      await ben.call('insert', 0, '정렬 😀\n');
      assert.equal(await converge([kim, ali, ben], (text) => text.includes('😀')), `정렬 😀\n${text}`);

      await kim.call('setAwareness', { name: 'kim' });
      const names = async (editor) => (await editor.call('awareness')).map(({ name }) => name);
      for (const editor of [ali, ben]) await until(async () => (await names(editor)).includes('kim'), 'kim is shown');
      assert.deepEqual((await kim.call('state')).errors, []);
      assert.equal((await command(lea, 'code:get', { number })).text, await kim.call('text'));
    });

    test(`an update goes to the others that have the document open, and to nobody else (${transport})`, async () => {
      const [, kim, ali, lea, ben] = await members(transport, 'kim', 'ali', 'lea', 'ben');
      const number = await share(lea, 'one');
      const mine = await open(kim, number);
      assert.deepEqual([mine.snippet.number, mine.snippet.editors, textOf(mine.doc)], [number, 'together', 'one']);
      const theirs = await open(ali, number);
      await open(ben, number);
      await command(ben, 'document:close', { number });
      const payload = { id: 'u-1', number, update: updateOf(mine.doc, (text) => text.insert(3, ' two')) };
      const ack = await command(kim, 'document:update', payload);
      assert.equal(ack.edit, mine.edit + 1);
      const event = await ali.next('document:updated');
      assert.deepEqual([event.number, event.edit, event.userId], [number, ack.edit, 'kim']);
      Y.applyUpdate(theirs.doc, decode(event.update));
      assert.equal(textOf(theirs.doc), 'one two');
      await command(kim, 'document:update', payload);
      assert.equal(textOf((await open(ali, number)).doc), 'one two', 'a repetition changes nothing');

      const update = encode(awarenessUpdate({ name: 'kim' }));
      await command(kim, 'document:awareness', { number, update });
      const shown = await ali.next('document:awareness');
      assert.deepEqual([shown.number, shown.update, shown.userId], [number, update, 'kim']);

      // A later event of the room proves that nothing else is under way.
      await command(kim, 'chat:send', { text: 'done' });
      for (const member of [kim, lea, ben]) {
        await member.next('chat:message');
        assert.deepEqual(
          member.names.filter((name) => name.startsWith('document:')),
          [],
          member.user,
        );
      }
    });

    test(`documents refuse what they cannot take, and do not change by it (${transport})`, async () => {
      const [room, kim, lea] = await members(transport, 'kim', 'lea');
      const number = await share(kim, 'kept');
      const { doc, edit } = await open(lea, number);
      const update = updateOf(doc, (text) => text.insert(0, 'x'));
      const outside = await harness.connect(transport, 'ali');
      for (const [event, payload] of [
        ['document:open', { number }],
        ['document:update', { number, update }],
        ['document:awareness', { number, update: encode(awarenessUpdate({})) }],
      ]) {
        assert.equal(await codeOf(outside, event, payload), 'NOT_IN_ROOM');
        assert.equal(await codeOf(kim, event, { ...payload, number: number + 7 }), 'NO_SUCH_SNIPPET');
      }
      const { snippet } = await command(kim, 'code:share', { text: 'mine', editors: 'everybody' });
      assert.equal(await codeOf(lea, 'document:open', { number: snippet.number }), 'NOT_TOGETHER');
      assert.equal(await codeOf(lea, 'document:update', { number: snippet.number, update }), 'NOT_TOGETHER');
      assert.equal(await codeOf(kim, 'code:update', { number, version: 1, text: 'other' }), 'EDITED_TOGETHER');
      for (const wrong of [
        'no Base64!',
        update.replace(/=*$/, '!'),
        encode(Buffer.from('no update')),
        encode(Buffer.alloc(20, 255)),
        encode(Buffer.alloc(LONGEST_UPDATE + 1)),
        7,
        undefined,
      ]) {
        const code = await codeOf(lea, 'document:update', { number, update: wrong });
        assert.equal(code, 'MALFORMED', `${wrong}`.slice(0, 80));
      }
      const tooLarge = awarenessUpdate({ name: 'x'.repeat(LONGEST_AWARENESS) });
      assert.equal(await codeOf(lea, 'document:awareness', { number, update: encode(tooLarge) }), 'MALFORMED');
      for (const wrong of [{}, { number: '7' }, 'x']) {
        assert.equal(await codeOf(lea, 'document:open', wrong), 'MALFORMED');
      }
      const now = await open(kim, number);
      assert.deepEqual([textOf(now.doc), now.edit], ['kept', edit]);

      assert.equal((await harness.api('PATCH', `/rooms/${room}`, { features: ['chat'] })).status, 200);
      assert.equal(await codeOf(lea, 'document:open', { number }), 'FEATURE_OFF');
    });

    test(`a muted user changes nothing, and gets what others change (${transport})`, async () => {
      const [, lea, kim] = await members(transport, 'lea', 'kim');
      const number = await share(lea);
      const { doc } = await open(kim, number);
      await command(lea, 'chat:mute', { userId: 'kim' });
      const update = updateOf(doc, (text) => text.insert(0, 'kim'));
      assert.equal(await codeOf(kim, 'document:update', { number, update }), 'MUTED');
      const others = (await open(lea, number)).doc;
      const theirs = updateOf(others, (text) => text.insert(0, 'lea'));
      await command(lea, 'document:update', { number, update: theirs });
      assert.equal((await kim.next('document:updated')).userId, 'lea');
      await command(lea, 'chat:unmute', { userId: 'kim' });
      await command(kim, 'document:update', { number, update });
      assert.equal(textOf((await open(lea, number)).doc).length, 'kimlea'.length);
    });
  }

  test('an earlier snippet becomes a document with its text', async () => {
    const [, kim, ali] = await members('WebSocket', 'kim', 'ali');
    const { snippet } = await command(kim, 'code:share', { text: 'earlier' });
    const { number, version } = snippet;
    assert.equal(await codeOf(ali, 'document:open', { number }), 'NOT_TOGETHER');
    await command(kim, 'code:update', { number, version, editors: 'together' });
    assert.equal((await ali.next('code:updated')).snippet.editors, 'together');
    assert.equal(textOf((await open(ali, number)).doc), 'earlier');
  });

  test('the document of a closed snippet is gone', async () => {
    const [, kim, ali] = await members('WebSocket', 'kim', 'ali');
    const number = await share(kim, 'x');
    const { doc } = await open(ali, number);
    await command(kim, 'code:close', { number });
    assert.equal((await ali.next('code:closed')).number, number);
    const update = updateOf(doc, (text) => text.insert(0, 'y'));
    assert.equal(await codeOf(ali, 'document:update', { number, update }), 'NO_SUCH_SNIPPET');
    assert.equal(await codeOf(ali, 'document:open', { number }), 'NO_SUCH_SNIPPET');
  });

  test('an editor stops when its snippet is closed', async () => {
    const [room, lea] = await members('WebSocket', 'lea');
    const number = await share(lea, 'x');
    const kim = await editors.open('kim', { bridge: harness.bridges[1], transport: 'Socket.IO', room, number });
    await command(lea, 'code:close', { number });
    await until(async () => (await kim.call('state')).status === 'failed', 'the provider of kim stops');
    assert.deepEqual((await kim.call('state')).errors, ['NO_SUCH_SNIPPET']);
  });

  test('a socket opens eight documents at once', async () => {
    const [, kim, ali] = await members('Socket.IO', 'kim', 'ali');
    const numbers = [];
    for (let count = 0; count <= OPEN_DOCUMENTS; count += 1)
      numbers.push(await share(count % 2 ? kim : ali, `${count}`));
    const last = numbers.at(-1);
    for (const number of numbers.slice(0, OPEN_DOCUMENTS)) await open(kim, number);
    assert.equal(await codeOf(kim, 'document:open', { number: last }), 'TOO_MANY_DOCUMENTS');
    await open(kim, numbers[0]);
    await open(ali, last);
    await command(kim, 'document:close', { number: numbers[0] });
    assert.equal(textOf((await open(kim, last)).doc), `${OPEN_DOCUMENTS}`);
  });

  test('documents of snippets that are gone do not count as open', async () => {
    const [, lea, kim, ali] = await members('WebSocket', 'lea', 'kim', 'ali');
    const openAll = async () => {
      const numbers = [];
      for (let count = 0; count < OPEN_DOCUMENTS; count += 1)
        numbers.push(await share(count % 2 ? kim : ali, `${count}`));
      for (const number of numbers) await open(kim, number);
      return numbers;
    };
    const numbers = await openAll();
    await Promise.all(numbers.map((number) => command(lea, 'code:close', { number })));
    await until(() => kim.count('code:closed') === numbers.length, 'kim knows that all are gone');
    await openAll();
  });

  test('a document holds 256 KiB, and refuses what is more', async () => {
    const [, kim, ali] = await members('WebSocket', 'kim', 'ali');
    const number = await share(kim);
    const { doc } = await open(kim, number);
    let code;
    let taken = 0;
    for (; !code && taken < 10; taken += 1) {
      const update = updateOf(doc, (text) => text.insert(0, 'x'.repeat(60_000)));
      code = await codeOf(kim, 'document:update', { number, update });
    }
    assert.deepEqual([code, taken], ['DOCUMENT_FULL', 5]);
    assert.equal(textOf((await open(ali, number)).doc).length, 4 * 60_000);
  });

  test('an update of the greatest length arrives', async () => {
    const [, kim, ali] = await members('Socket.IO', 'kim', 'ali');
    const number = await share(kim);
    await open(ali, number);
    const { doc } = await open(kim, number);
    const overhead = decode(updateOf(new Y.Doc(), (text) => text.insert(0, 'x'.repeat(60_000)))).length - 60_000;
    const length = LONGEST_UPDATE - overhead - 16;
    await command(kim, 'document:update', {
      number,
      update: updateOf(doc, (text) => text.insert(0, 'x'.repeat(length))),
    });
    assert.ok(decode((await ali.next('document:updated')).update).length >= length);
  });

  test('a user writes 20 times at once, over all connections together', async () => {
    const room = await harness.room({ duplicates: 'share' });
    const connections = [await harness.webSocket('kim'), await harness.socketIo('kim', { bridge: 1 })];
    for (const connection of connections) await connection.enter(room);
    const number = await share(connections[0]);
    for (const connection of connections) await open(connection, number);
    const update = encode(awarenessUpdate({ name: 'kim' }));
    const writes = Array.from({ length: 3 * WRITES_AT_ONCE }, (_, index) =>
      connections[index % 2].request('document:awareness', { number, update }),
    );
    // Opening the document counts, too.
    const codes = (await Promise.all(writes)).map((ack) => ack.code ?? 'written');
    const written = codes.filter((code) => code === 'written').length;
    assert.ok(written >= WRITES_AT_ONCE - connections.length, codes.join());
    assert.ok(codes.includes('RATE_LIMITED'), codes.join());
  });

  test('a text that is too large for one message arrives from an editor in parts', async () => {
    const [room, lea] = await members('WebSocket', 'lea');
    const number = await share(lea, 'end');
    const kim = await editors.open('kim', { bridge: harness.bridges[0], transport: 'WebSocket', room, number });
    const ali = await editors.open('ali', { bridge: harness.bridges[1], transport: 'Socket.IO', room, number });
    const pasted = `${'😀'.repeat(35_000)}\n`;
    await kim.call('insert', 0, pasted);
    const text = await converge([kim, ali], (text) => text.length === pasted.length + 3);
    assert.ok(text === `${pasted}end`);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});

describe('documents while servers are killed', { timeout: 900_000 }, () => {
  const WRITERS = { kim: 'Socket.IO', ali: 'WebSocket', ben: 'WebSocket' };
  const ROUNDS = 2;

  test('nothing that was typed is lost when bridges, the app and Redis die, and all see the same', async (t) => {
    const harness = await Harness.start({ bridges: 2, persistent: true, variables: FEATURES });
    const editors = await Editors.start();
    const startBridge = async () => {
      const bridge = await Bridge.start({ redis: harness.redis, app: harness.appUrl, variables: FEATURES });
      harness.bridges.push(bridge);
      await Promise.all(editors.all.map((editor) => editor.call('use', bridge.url)));
      return bridge;
    };
    try {
      const room = await harness.room();
      const lea = await harness.webSocket('lea', { bridge: 1 });
      await lea.enter(room);
      const number = await share(lea);
      await open(lea, number);
      let bridge = await startBridge();
      for (const [user, transport] of Object.entries(WRITERS)) {
        await editors.open(user, { bridge, transport, room, number });
      }
      await Promise.all(editors.all.map((editor) => editor.call('write', editor.user)));
      const countAcknowledged = async () =>
        (await Promise.all(editors.all.map((editor) => editor.call('acknowledged')))).map((lines) => lines.length);
      /** Everybody gets on. */
      const goOn = async () => {
        const before = await countAcknowledged();
        const isSo = async () => (await countAcknowledged()).every((count, index) => count > before[index]);
        await until(isSo, 'a line of each writer is acknowledged', 120_000);
      };
      await goOn();
      for (let round = 0; round < ROUNDS; round += 1) {
        const killed = bridge;
        bridge = await startBridge();
        await killed.child.kill('SIGKILL');
        await goOn();
        await harness.redis.crash();
        await harness.redis.restart();
        await lea.next('document:missed', (event) => event.number === number);
        await goOn();
        await harness.restartApp();
        await goOn();
      }
      const written = (await Promise.all(editors.all.map((editor) => editor.call('stopWriting')))).flat();
      const text = await converge(editors.all);
      assert.deepEqual(text.trim().split('\n').sort(), written.sort(), 'each line once');
      assert.equal(textOf((await open(lea, number)).doc), text, 'who comes later gets the same');
      t.diagnostic(`${written.length} lines, ${ROUNDS} times a bridge, Redis and the app killed`);
    } finally {
      await editors.stop();
      await harness.stop();
    }
  });
});
