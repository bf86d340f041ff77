// A page that is loaded again.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { Clock } from './clock.mjs';
import { Page, TabStorage } from './page.mjs';
import { roomOf, roomOn, tokenOf } from './room.mjs';

const KEY = 'rollcall.entry.algebra';

describe('a page that is loaded again', () => {
  const clock = new Clock();
  const page = new Page();
  let [storage, server, room, connections] = [];
  before(() => {
    clock.install();
    page.install();
  });
  after(() => {
    page.remove();
    clock.remove();
  });
  beforeEach(async () => {
    storage = new TabStorage();
    ({ server, room, connections } = roomOf('kim', clock, { storage: () => storage }));
    await enter(room);
  });
  afterEach(() => room.close());

  async function enter(room) {
    room.join();
    await clock.pass(1000);
  }

  /** Another load of the page. */
  async function load(options = {}) {
    room.close();
    ({ room, connections } = roomOn(server, options.user ?? 'kim', { storage: () => storage, ...options }));
    await enter(room);
  }

  const stateOf = ({ connection: { state, reason } }) => [state, reason?.code ?? reason?.kind];

  /** The network loses the connection, and the bridge does not notice. */
  const lose = () => connections.at(-1).cut(60_000);

  test('takes the place of an entry whose connection the bridge takes for alive', async () => {
    lose();
    page.hide();
    await load();
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
    assert.equal(server.members.length, 1);
    assert.equal(server.members[0].joinedAt, room.getSnapshot().self.joinedAt);
  });

  test('takes its place after many loads, of which some end before they have entered', async () => {
    for (let times = 0; times < 5; times += 1) {
      lose();
      page.hide();
      room.close();
      ({ room, connections } = roomOn(server, 'kim', { storage: () => storage }));
      room.join();
      // The request to enter has its effect, and the ack does not arrive: an answer takes ten milliseconds.
      await clock.pass(12);
    }
    page.hide();
    await load();
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
  });

  test('waits for its own entry if the first load has not heard of it', async () => {
    const other = roomOf('kim', clock, { storage: () => storage });
    other.room.join();
    await clock.pass(12);
    assert.equal(other.server.members.length, 1);
    other.connections[0].cut(20_000);
    page.hide();
    other.room.close();
    ({ server } = other);
    await load();
    assert.deepEqual(stateOf(room.getSnapshot()), ['connecting', undefined]);
    await clock.pass(60_000);
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
  });

  test('a tab that is duplicated gets no token, because the storage has none while the page is there', async () => {
    assert.equal(storage.items.size, 0);
    page.hide();
    assert.equal(storage.items.size, 1);
    await load();
    assert.equal(storage.items.size, 0);
    const copy = roomOn(server, 'kim', { storage: () => new TabStorage() });
    await enter(copy.room);
    assert.deepEqual(stateOf(copy.room.getSnapshot()), ['closed', 'ALREADY_JOINED']);
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
  });

  test('a page that comes back without a load goes on, and keeps nothing in the storage', async () => {
    page.hide();
    await clock.pass(1000);
    page.show();
    await clock.pass(5000);
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
    assert.equal(storage.items.size, 0);
  });

  test('another user in the same tab does not use the token', async () => {
    page.hide();
    await load({ user: 'lea' });
    assert.deepEqual(
      server.members.map(({ userId }) => userId),
      ['kim', 'lea'],
    );
    assert.equal(storage.items.size, 0);
    await load();
    assert.deepEqual(server.members.length, 2);
  });

  test('what somebody else has written there does no harm', async () => {
    for (const text of [
      '',
      'null',
      '7',
      '{"user":"kim","resumeToken":7}',
      '{"user":"kim","resumeToken":"of-entry-0"}',
      '{',
    ]) {
      page.hide();
      storage.items.set(KEY, text);
      await load();
      assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined], text);
      room.leave();
      await clock.pass(1000);
      await load();
    }
  });

  test('nothing is kept after a leave, the end, a removal or a refusal', async () => {
    const ends = [() => room.leave(), () => server.end(), () => connections.at(-1).replace()];
    for (const end of ends) {
      end();
      await clock.pass(1000);
      assert.equal(room.getSnapshot().connection.state, 'closed');
      page.hide();
      assert.equal(storage.items.size, 0);
      server.begin();
      await load();
    }
    page.hide();
    server.end('time', false);
    await load();
    assert.deepEqual(stateOf(room.getSnapshot()), ['closed', 'SESSION_ENDED']);
    assert.equal(storage.items.size, 0);
  });

  test('a storage that throws is none', async () => {
    storage.isBlocked = true;
    page.hide();
    await load();
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
    const blocked = () => {
      throw new Error('the user has blocked cookies');
    };
    page.hide();
    await load({ storage: blocked });
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
  });

  test('a load that does not get as far as entering leaves the token to the next one', async () => {
    lose();
    page.hide();
    const token = () => {
      throw new Error('no token at the moment');
    };
    await load({ token });
    page.hide();
    await load({ token: () => tokenOf('kim') });
    assert.deepEqual(stateOf(room.getSnapshot()), ['connected', undefined]);
  });
});
