import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, mock, test } from 'node:test';

import { RETRYABLE } from '../dist/codes.js';
import { Awareness, pass, passUntil, RollcallProvider, socketIoChannel, Y } from './clock.mjs';
import { Connection, Server } from './server.mjs';

const NUMBER = 3;

const providers = [];

/** An editor that has or has not opened the document. */
function editor(server, userId, { network, connect = true, options } = {}) {
  const connection = new Connection(server, userId, network);
  const doc = new Y.Doc();
  const provider = new RollcallProvider(connection, NUMBER, doc, options);
  const errors = [];
  provider.on('error', (error) => errors.push(error));
  providers.push(provider);
  if (connect) provider.connect();
  return { connection, doc, provider, errors, text: doc.getText('text') };
}

async function opened(server, userId, options) {
  const opening = editor(server, userId, options);
  await passUntil(() => opening.provider.synced, 'the document is open');
  await pass(500);
  opening.connection.requests.length = 0;
  return opening;
}

const updates = ({ connection }) => connection.sent('document:update');
const times = (requests) => requests.map(({ at }) => at - requests[0].at);

afterEach(() => {
  for (const provider of providers.splice(0)) provider.destroy();
});

describe('updates', () => {
  test('the document has the text of the server when it is synced', async () => {
    const { text, provider } = editor(new Server('fn main() {}'), 'kim');
    const statuses = [provider.status];
    provider.on('status', ({ status }) => statuses.push(status));
    assert.equal(provider.synced, false);
    await passUntil(() => provider.synced, 'the document is open');
    assert.equal(text.toString(), 'fn main() {}');
    assert.deepEqual(statuses, ['connecting', 'connected']);
  });

  test('the first change goes out at once, and those that follow go out together every 200 ms', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    for (let count = 0; count < 50; count += 1) {
      kim.text.insert(0, 'x');
      await pass(10);
    }
    await pass(1000);
    assert.deepEqual(times(updates(kim)), [0, 200, 400, 600]);
    assert.equal(server.text, 'x'.repeat(50));
  });

  test('only one update is under way, however slow the server is', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.connection.network.delay = () => 1000;
    for (let count = 0; count < 50; count += 1) {
      kim.text.insert(0, 'x');
      await pass(100);
    }
    assert.deepEqual(times(updates(kim)), [0, 2000, 4000]);
    assert.equal(kim.provider.saved, false);
    await passUntil(() => kim.provider.saved, 'all is acknowledged');
    assert.equal(server.text, 'x'.repeat(50));
  });

  test('an idle editor sends nothing but its awareness, which others forget after 30 seconds', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    const lea = await opened(server, 'lea');
    kim.connection.requests.length = 0;
    await pass(60_000, 100);
    assert.deepEqual([...new Set(kim.connection.requests.map(({ event }) => event))], ['document:awareness']);
    assert.ok(kim.connection.requests.length <= 5);
    assert.equal(lea.provider.awareness.getStates().size, 2);
  });

  test('two editors see the changes of each other, and undo only their own', async () => {
    const server = new Server('one');
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    const undo = new Y.UndoManager(lea.text);
    kim.text.insert(3, ' two');
    await pass(100);
    lea.text.insert(0, 'zero ');
    await pass(500);
    assert.equal(kim.text.toString(), 'zero one two');
    undo.undo();
    undo.undo();
    await pass(500);
    assert.deepEqual(
      [kim, lea].map(({ text }) => text.toString()),
      ['one two', 'one two'],
    );
    undo.destroy();
  });

  test('changes made before the document is open and without a connection arrive', async () => {
    const server = new Server('one');
    const kim = editor(server, 'kim', { connect: false });
    kim.text.insert(0, 'early ');
    kim.provider.connect();
    await passUntil(() => kim.provider.synced, 'the document is open');
    await pass(500);
    assert.match(server.text, /early /);
    kim.connection.drop();
    assert.deepEqual([kim.provider.status, kim.provider.synced, kim.provider.saved], ['disconnected', false, true]);
    kim.text.insert(0, 'offline ');
    kim.text.delete(8, 2);
    assert.equal(kim.provider.saved, false);
    await pass(60_000, 100);
    assert.doesNotMatch(server.text, /offline/);
    kim.connection.rejoin();
    kim.provider.connect();
    await passUntil(() => kim.provider.saved, 'the changes are acknowledged');
    assert.equal(server.text, kim.text.toString());
  });

  test('a document that has deletions, and nothing that the server lacks, sends nothing when it opens again', async () => {
    const server = new Server('one two three');
    const kim = await opened(server, 'kim');
    kim.text.delete(0, 4);
    await pass(500);
    kim.connection.requests.length = 0;
    kim.connection.drop();
    kim.connection.rejoin();
    kim.provider.connect();
    await pass(2000);
    assert.deepEqual([kim.connection.sent('document:open').length, updates(kim).length], [1, 0]);
    assert.equal(kim.provider.saved, true);
  });

  test('deletions made without a connection arrive', async () => {
    const server = new Server('one two three');
    const kim = await opened(server, 'kim');
    kim.connection.drop();
    kim.text.delete(0, 4);
    kim.connection.rejoin();
    kim.provider.connect();
    await passUntil(() => kim.provider.saved, 'the deletion is acknowledged');
    assert.equal(server.text, 'two three');
  });

  test('a change whose ack was lost is not sent again if the server has it, and else it is', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.connection.network.losesAck = () => kim.connection.requests.length === 1;
    kim.text.insert(0, 'x');
    await passUntil(() => kim.provider.saved, 'the change is acknowledged');
    assert.deepEqual([updates(kim).length, server.text], [1, 'x']);
    kim.connection.requests.length = 0;
    kim.connection.network.losesRequest = () => kim.connection.requests.length === 1;
    kim.text.insert(0, 'y');
    await passUntil(() => kim.provider.saved, 'the change is acknowledged');
    assert.deepEqual([updates(kim).length, server.text], [2, 'yx']);
  });
});

describe('missed updates', () => {
  test('a gap that stays for a second opens the document again', async () => {
    const server = new Server();
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    lea.connection.network.copies = () => 0;
    kim.text.insert(0, 'lost ');
    await pass(300);
    lea.connection.network.copies = () => 1;
    kim.text.insert(0, 'seen ');
    await pass(500);
    assert.equal(lea.connection.sent('document:open').length, 0);
    await pass(1000);
    assert.equal(lea.connection.sent('document:open').length, 1);
    assert.equal(lea.text.toString(), 'seen lost ');
    await pass(5000);
    assert.equal(lea.connection.sent('document:open').length, 1);
  });

  test('an ack that overtakes an event, an event that overtakes another and a double event are no gap', async () => {
    const server = new Server();
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    const delays = [400, 5, 5, 5];
    lea.connection.network.delay = () => delays.shift() ?? 5;
    lea.connection.network.copies = () => 2;
    kim.text.insert(0, 'a');
    await pass(50);
    lea.text.insert(0, 'b');
    await pass(300);
    kim.text.insert(0, 'c');
    await pass(3000);
    assert.equal(lea.connection.sent('document:open').length, 0);
    assert.equal(lea.text.toString(), kim.text.toString());
  });

  test('the document is opened again when the server says that updates may have been missed', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    server.doc.getText('text').insert(0, 'missed');
    server.edit += 1;
    kim.connection.deliver('document:missed', { number: NUMBER + 1 });
    await pass(100);
    assert.equal(kim.text.toString(), '');
    kim.connection.deliver('document:missed', { number: NUMBER });
    await pass(100);
    assert.equal(kim.text.toString(), 'missed');
    assert.deepEqual([kim.provider.status, kim.provider.synced], ['connected', true]);
  });

  test('a server that has lost updates, and counts from an earlier one, gets them again', async () => {
    const server = new Server();
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    kim.text.insert(0, 'kept ');
    await pass(500);
    const [doc, { edit }] = [new Y.Doc(), server];
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(server.doc));
    kim.text.insert(0, 'lost ');
    await pass(500);
    Object.assign(server, { doc, edit });
    lea.text.insert(0, 'new ');
    await pass(2000);
    assert.equal(server.text, 'new lost kept ');
    assert.equal(kim.text.toString(), server.text);
  });
});

describe('refusals', () => {
  test('the codes that tell to try again are those of the documentation', async () => {
    const page = await readFile(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
    const documented = [...page.matchAll(/^\| `(\w+)` \| \d+ \| yes \|/gm)].map(([, code]) => code);
    assert.deepEqual(documented.sort(), [...RETRYABLE].sort());
  });

  test('the pauses between attempts grow, to 30 seconds', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    server.refuse = (event) => event === 'document:update' && 'UNAVAILABLE';
    mock.method(Math, 'random', () => 1);
    kim.text.insert(0, 'x');
    await pass(100_000, 100);
    mock.restoreAll();
    const pauses = times(updates(kim)).map((at, index, all) => Math.round((at - (all[index - 1] ?? at)) / 500) / 2);
    assert.deepEqual(pauses, [0, 0.5, 1, 2, 4, 8, 16, 30, 30]);
    server.refuse = () => undefined;
    await passUntil(() => kim.provider.saved, 'the server is back');
    assert.equal(server.text, 'x');
    assert.deepEqual(kim.errors, []);
  });

  test('a muted user gets the updates of others, and what the user typed arrives later', async () => {
    const server = new Server();
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    const mute = (event, _, { userId }) => event !== 'document:open' && userId === 'kim' && 'MUTED';
    server.refuse = mute;
    kim.text.insert(0, 'kim ');
    await pass(100);
    assert.equal(kim.provider.status, 'muted');
    lea.text.insert(0, 'lea ');
    await pass(60_000, 100);
    assert.deepEqual([kim.provider.status, kim.provider.saved, server.text], ['muted', false, 'lea ']);
    assert.match(kim.text.toString(), /lea /);
    server.doc.getText('text').insert(0, 'missed ');
    kim.connection.deliver('document:missed', { number: NUMBER });
    await pass(100);
    assert.match(kim.text.toString(), /missed /);
    server.refuse = () => undefined;
    kim.connection.deliver('room:unmuted', { userId: 'kim' });
    await pass(300);
    assert.deepEqual([kim.provider.status, kim.provider.saved], ['connected', true]);
    assert.match(server.text, /kim /);
  });

  for (const code of ['DOCUMENT_FULL', 'NO_SUCH_SNIPPET', 'NOT_TOGETHER', 'FEATURE_OFF', 'MALFORMED']) {
    test(`the provider stops after ${code}, until it connects again`, async () => {
      const server = new Server();
      const kim = await opened(server, 'kim');
      server.refuse = (event) => event === 'document:update' && code;
      kim.text.insert(0, 'x');
      await pass(60_000, 100);
      assert.deepEqual([kim.provider.status, kim.provider.error.code], ['failed', code]);
      assert.deepEqual(
        kim.errors.map((error) => error.code),
        [code],
      );
      assert.equal(updates(kim).length, 1);
      kim.connection.emit('disconnect');
      assert.equal(kim.provider.status, 'failed');
      server.refuse = () => undefined;
      kim.provider.connect();
      await passUntil(() => kim.provider.saved, 'the change is acknowledged');
      assert.deepEqual([kim.provider.error, server.text], [undefined, 'x']);
    });
  }

  test('a document that cannot be opened is not asked for again', async () => {
    const server = new Server();
    server.refuse = () => 'TOO_MANY_DOCUMENTS';
    const kim = editor(server, 'kim');
    await pass(60_000, 100);
    assert.deepEqual([kim.connection.requests.length, kim.errors[0].code], [1, 'TOO_MANY_DOCUMENTS']);
  });

  test('the provider stops when the snippet is closed', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.connection.deliver('code:closed', { number: NUMBER + 1 });
    await pass(100);
    assert.equal(kim.provider.status, 'connected');
    kim.connection.deliver('code:closed', { number: NUMBER });
    await pass(100);
    assert.deepEqual([kim.provider.status, kim.provider.error.code], ['failed', 'NO_SUCH_SNIPPET']);
  });

  test('the document is opened again when a bridge has entered the room again', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.connection.isInRoom = false;
    kim.text.insert(0, 'x');
    await pass(2000);
    kim.connection.isInRoom = true;
    await passUntil(() => kim.provider.saved, 'the change is acknowledged');
    assert.deepEqual([server.text, kim.provider.status, kim.errors], ['x', 'connected', []]);
  });

  test('the provider waits for the next join when the user is not in the room', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.connection.isInRoom = false;
    kim.text.insert(0, 'x');
    await passUntil(() => kim.provider.status === 'disconnected', 'the provider has stopped');
    const { length } = kim.connection.requests;
    await pass(60_000, 100);
    assert.deepEqual([kim.connection.requests.length, kim.errors], [length, []]);
    kim.connection.rejoin();
    kim.provider.connect();
    await passUntil(() => kim.provider.saved, 'the change is acknowledged');
    assert.equal(server.text, 'x');
  });

  test('a listener may disconnect as soon as the document is open', async () => {
    const kim = editor(new Server('one'), 'kim');
    kim.provider.on('status', ({ status }) => status === 'connected' && kim.provider.disconnect());
    await pass(1000);
    assert.deepEqual([kim.provider.status, kim.provider.synced], ['disconnected', false]);
    assert.equal(kim.connection.sent('document:open').length, 1);
  });

  test('the provider stops if Yjs cannot read what the server sends', async () => {
    const kim = await opened(new Server(), 'kim');
    kim.connection.deliver('document:updated', { number: NUMBER, edit: 1, update: '/////w==' });
    await pass(100);
    assert.deepEqual([kim.provider.status, kim.errors[0]?.code], ['failed', 'UNREADABLE']);
  });
});

describe('large changes', () => {
  const LIMIT = 67_584;
  const sizes = (kim) => updates(kim).map(({ payload }) => Buffer.from(payload.update, 'base64').length);

  test('a text that is too large for one message is sent in parts, and no character is cut', async () => {
    const server = new Server('start ');
    const [kim, lea] = [await opened(server, 'kim'), await opened(server, 'lea')];
    for (const text of ['x'.repeat(3 * LIMIT), `a${'😀'.repeat(30_000)}`, '😀'.repeat(30_000)]) {
      kim.text.insert(2, text);
      kim.text.delete(0, 1);
      await passUntil(() => kim.provider.saved, 'the text is acknowledged');
    }
    await pass(500);
    assert.ok(Math.max(...sizes(kim)) <= LIMIT);
    assert.ok(Math.min(...sizes(kim)) > 2, 'none is empty');
    for (const text of [server.text, lea.text.toString()]) assert.ok(text === kim.text.toString());
    assert.doesNotMatch(kim.text.toString(), /\ufffd/);
  });

  test('many changes that are too large for one message are sent in several', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim', { network: { delay: () => 500 } });
    for (let count = 0; count < 100; count += 1) kim.text.insert(count, 'y'.repeat(2000));
    await passUntil(() => kim.provider.saved, 'the text is acknowledged');
    assert.ok(Math.max(...sizes(kim)) <= LIMIT);
    assert.equal(server.text.length, 200_000);
  });

  test('what was typed and deleted without a connection is sent in parts', async () => {
    const server = new Server('z'.repeat(1000));
    const kim = await opened(server, 'kim');
    kim.connection.drop();
    for (let count = 0; count < 200; count += 1) {
      kim.text.insert(count * 7, 'w'.repeat(1000));
      kim.text.delete(count * 3, 1);
    }
    kim.connection.rejoin();
    kim.provider.connect();
    await passUntil(() => kim.provider.saved, 'the text is acknowledged');
    assert.ok(Math.max(...sizes(kim)) <= LIMIT);
    assert.ok(server.text === kim.text.toString());
  });

  test('an embedded value that is too large for one message is an error', async () => {
    const server = new Server();
    const kim = await opened(server, 'kim');
    kim.text.insertEmbed(0, { image: 'x'.repeat(LIMIT) });
    await pass(500);
    assert.deepEqual([kim.provider.status, kim.errors[0].code, updates(kim).length], ['failed', 'UPDATE_TOO_LARGE', 0]);
  });
});

describe('awareness', () => {
  const states = ({ provider }) => [...provider.awareness.getStates().values()].map(({ name }) => name).sort();
  const named = async (server, name, options) => {
    const who = await opened(server, name, options);
    who.provider.awareness.setLocalState({ name });
    await pass(1000);
    who.connection.requests.length = 0;
    return who;
  };

  test('the latest state goes out, at most every 400 ms', async () => {
    const server = new Server();
    const [kim, lea] = [await named(server, 'kim'), await named(server, 'lea')];
    kim.connection.requests.length = 0;
    for (let cursor = 0; cursor <= 100; cursor += 1) {
      kim.provider.awareness.setLocalStateField('cursor', cursor);
      await pass(10);
    }
    await pass(1000);
    assert.deepEqual(times(kim.connection.sent('document:awareness')), [0, 400, 800, 1200]);
    assert.equal(lea.provider.awareness.getStates().get(kim.doc.clientID).cursor, 100);
  });

  test('who opens the document sees the others at once', async () => {
    const server = new Server();
    await named(server, 'kim');
    await named(server, 'lea');
    const ali = editor(server, 'ali');
    ali.provider.awareness.setLocalState({ name: 'ali' });
    await pass(1000);
    assert.deepEqual(states(ali), ['ali', 'kim', 'lea']);
  });

  test('the state of a user who leaves is removed, also of one with a number as id', async () => {
    const server = new Server();
    const [kim, lea] = [await named(server, 'kim'), await named(server, 7)];
    assert.deepEqual(states(kim), [7, 'kim']);
    const change = (type, userId) => ({ change: { type, users: [{ userId }] }, count: 1 });
    kim.connection.deliver('room:participantsChanged', change('updated', '7'));
    await pass(10);
    assert.deepEqual(states(kim), [7, 'kim']);
    kim.connection.deliver('room:participantsChanged', change('left', '7'));
    kim.connection.deliver('room:participantsChanged', change('left', 'kim'));
    await pass(10);
    assert.deepEqual(states(kim), ['kim']);
    lea.provider.awareness.setLocalStateField('cursor', 1);
    await pass(500);
    assert.deepEqual(states(kim), [7, 'kim'], 'a user who comes back is shown again');
  });

  test('a lost connection removes the others, and the next one shows everybody at once', async () => {
    const server = new Server();
    const [kim, lea] = [await named(server, 'kim'), await named(server, 'lea')];
    kim.connection.drop();
    assert.deepEqual([states(kim), states(lea)], [['kim'], ['kim', 'lea']]);
    kim.connection.rejoin();
    kim.provider.connect();
    await pass(1000);
    assert.deepEqual(
      [states(kim), states(lea)],
      [
        ['kim', 'lea'],
        ['kim', 'lea'],
      ],
    );
    await pass(10_000);
    const { length } = lea.connection.sent('document:awareness');
    assert.ok(length <= 3, `lea sends ${length} awareness updates`);
  });

  test('the own state is removed by disconnect, by destroy and when the page is hidden', async () => {
    const server = new Server();
    const [kim, lea] = [await named(server, 'kim'), await named(server, 'lea')];
    kim.provider.disconnect();
    await pass(100);
    assert.deepEqual([states(lea), server.open.size, kim.provider.status], [['lea'], 1, 'disconnected']);
    kim.provider.connect();
    await pass(1000);
    assert.deepEqual(states(lea), ['kim', 'lea']);
    kim.provider.destroy();
    await pass(100);
    assert.deepEqual([states(lea), kim.connection.listeners], [['lea'], 0]);

    const hiding = new Map();
    globalThis.addEventListener = (event, listener) => hiding.set(event, listener);
    const ali = await named(server, 'ali');
    globalThis.addEventListener = undefined;
    assert.deepEqual(states(lea), ['ali', 'lea']);
    hiding.get('pagehide')();
    await pass(100);
    assert.deepEqual(states(lea), ['lea']);
    assert.equal(ali.provider.awareness.getLocalState().name, 'ali', 'the page may come back');
  });

  test('a state that is too large is an error, and everything else goes on', async () => {
    const server = new Server();
    const kim = await named(server, 'kim');
    kim.provider.awareness.setLocalStateField('photo', 'x'.repeat(3000));
    await pass(1000);
    assert.deepEqual(
      kim.errors.map(({ code }) => code),
      ['AWARENESS_TOO_LARGE'],
    );
    assert.equal(kim.connection.sent('document:awareness').length, 0);
    kim.text.insert(0, 'x');
    await pass(100);
    assert.deepEqual([server.text, kim.provider.status], ['x', 'connected']);
  });

  test('an unreadable state of another client changes nothing', async () => {
    const kim = await named(new Server(), 'kim');
    kim.connection.deliver('document:awareness', { number: NUMBER, update: 'AQECA3t7ew==', userId: 'ali' });
    await pass(100);
    assert.deepEqual([kim.provider.status, states(kim), kim.errors], ['connected', ['kim'], []]);
  });

  test('a state that was refused because of the rate is sent later', async () => {
    const server = new Server();
    const [kim, lea] = [await named(server, 'kim'), await named(server, 'lea')];
    server.refuse = (event) => event === 'document:awareness' && 'RATE_LIMITED';
    kim.provider.awareness.setLocalStateField('cursor', 5);
    await pass(1000);
    server.refuse = () => undefined;
    await pass(2000);
    assert.equal(lea.provider.awareness.getStates().get(kim.doc.clientID).cursor, 5);
  });

  test('an awareness of the application is used and not destroyed', () => {
    const doc = new Y.Doc();
    const awareness = new Awareness(doc);
    const kim = new RollcallProvider(new Connection(new Server(), 'kim'), NUMBER, doc, { awareness });
    assert.equal(kim.awareness, awareness);
    kim.destroy();
    awareness.setLocalState({ name: 'kim' });
    assert.equal(awareness.getStates().size, 1);
    awareness.destroy();
  });
});

describe('the channel over socket.io-client', () => {
  test('a request gets its ack, and one without a connection is refused instead of kept', async () => {
    const sent = [];
    const socket = {
      connected: true,
      emitWithAck: (event, payload) => {
        sent.push([event, payload]);
        return Promise.resolve({ success: true, data: {} });
      },
    };
    const channel = socketIoChannel(socket);
    assert.deepEqual(await channel.request('document:open', { number: 1 }), { success: true, data: {} });
    socket.connected = false;
    await assert.rejects(channel.request('document:open', { number: 1 }), /not connected/);
    assert.equal(sent.length, 1);
  });
});
