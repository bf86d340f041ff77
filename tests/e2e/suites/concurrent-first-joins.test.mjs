import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Harness } from '../harness/harness.mjs';

const USERS = 50;

describe('concurrent first joins', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ bridges: 2 });
  });
  after(() => harness?.stop());

  for (const transport of ['Socket.IO', 'WebSocket']) {
    test(`of fifty users who join at once over two bridges, exactly one starts the room (${transport})`, async () => {
      const room = await harness.room({ leaderId: 'user-7' });
      const published = await harness.redis.published(room);
      const members = await Promise.all(
        Array.from({ length: USERS }, (_, i) => harness.connect(transport, `user-${i}`, { bridge: i % 2 })),
      );

      const acks = await Promise.all(members.map((member) => member.enter(room)));
      const starters = members.filter((_, i) => acks[i].first);
      assert.equal(starters.length, 1, 'exactly one ack says first');
      assert.deepEqual(
        acks.map(({ count }) => count).sort((a, b) => a - b),
        Array.from({ length: USERS }, (_, i) => i + 1),
        'each join finds one member more',
      );
      assert.equal(new Set(acks.map(({ epoch }) => epoch)).size, 1);

      // The event of this join follows all events that the fifty joins caused.
      const last = await harness.connect(transport, 'last', { bridge: 1 });
      const { members: roster, count } = await last.enter(room);
      assert.equal(count, USERS + 1);
      const final = await Promise.all(
        members.map((member) => member.next('room:participantsChanged', (data) => data.count === USERS + 1)),
      );
      for (const data of final)
        assert.deepEqual(data.members, roster, 'all clients have the same roster in the same order');
      assert.equal(new Set(roster.map(({ userId }) => userId)).size, USERS + 1);

      for (const member of members) {
        assert.equal(member.count('room:started'), member === starters[0] ? 1 : 0, `room:started at ${member.user}`);
      }
      assert.equal(starters[0].names[0], 'room:started');
      const names = published.map(({ event }) => event);
      assert.equal(names.filter((name) => name === 'room:started').length, 1, 'published once');
      assert.equal(names[0], 'room:started');
      assert.deepEqual(
        published.map(({ seq }) => seq),
        Array.from({ length: published.length }, (_, i) => i + 1),
      );
      assert.ok(published.every(({ epoch }) => epoch === acks[0].epoch));
      harness.assertNoGaps();
    });
  }
});
