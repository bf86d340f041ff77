import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { authOf, SERVERS } from '../harness/servers.mjs';
import { SocketIoMember } from '../harness/socket-io.mjs';
import { until } from '../harness/wait.mjs';
import { UPGRADES, Wire } from '../harness/wire.mjs';

/** A server lets an upgrade take ten seconds. The scripts go on for longer. */
const SCRIPT_MS = 12_000;

/** Far less than a server takes to give an upgrade up, and far more than a busy machine needs for a notice. */
const NOTICE_LIMIT_MS = 6_000;

const NOTICE_INTERVAL_MS = 250;

/** While an upgrade is under way a server ends a poll every 100 ms. */
const MOST_REQUESTS_PER_S = 60;

const FAILURES = Object.values(UPGRADES).filter((behavior) => behavior !== UPGRADES.PASS);

for (const [name, Kind] of Object.entries(SERVERS)) {
  describe(`upgrades that fail between the client and ${name}`, {
    concurrency: FAILURES.length,
    timeout: 300_000,
  }, () => {
    let server;
    before(async () => (server = await Kind.start()));
    after(() => server?.stop());

    for (const upgrades of FAILURES) {
      test(`a client stays on polling and gets every notice if the proxy ${upgrades}`, async () => {
        const wire = await Wire.start(new URL(server.url).host, { upgrades });
        const user = `kim-${FAILURES.indexOf(upgrades)}`;
        const kim = new SocketIoMember(user, wire, { auth: await authOf(user), transports: ['polling', 'websocket'] });
        try {
          await kim.connected();
          await kim.enter(server.room);
          const began = performance.now();
          for (let i = 0; performance.now() - began < SCRIPT_MS; i += 1) {
            const text = `${user} ${i}`;
            const due = performance.now() + NOTICE_INTERVAL_MS;
            await server.notify(text);
            await kim.next('room:notice', (notice) => notice.text === text, NOTICE_LIMIT_MS);
            await until(() => performance.now() >= due, 'the next notice is due');
          }
          const seconds = (performance.now() - began) / 1000;
          assert.ok(wire.upgrades > 0, 'the client has tried to upgrade');
          assert.equal(kim.socket.io.engine.transport.name, 'polling');
          assert.ok(kim.socket.connected, 'the client was never disconnected');
          assert.deepEqual(kim.gaps, []);
          assert.ok(wire.requests < MOST_REQUESTS_PER_S * seconds, `${wire.requests} requests in ${seconds} s`);
        } finally {
          kim.disconnect();
          await wire.stop();
        }
      });
    }

    test('a client upgrades through a proxy that passes everything', async () => {
      const wire = await Wire.start(new URL(server.url).host);
      const ali = new SocketIoMember('ali', wire, { auth: await authOf('ali'), transports: ['polling', 'websocket'] });
      try {
        await ali.connected();
        await ali.enter(server.room);
        await until(() => ali.socket.io.engine.transport.name === 'websocket', 'the client has upgraded');
        await server.notify('ali');
        await ali.next('room:notice', ({ text }) => text === 'ali');
      } finally {
        ali.disconnect();
        await wire.stop();
      }
    });
  });
}
