import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bridge, OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { launch } from '../harness/browser.mjs';
import { DeployedProxy, PROXY_NAMES, textOf } from '../harness/deployed-proxies.mjs';
import { Harness } from '../harness/harness.mjs';
import { metricsAddress, sum } from '../harness/metrics.mjs';
import { Resident } from '../harness/resident.mjs';
import { RoomTab } from '../harness/room-page.mjs';
import { tokenFor } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';
import { WebSocketMember } from '../harness/websocket.mjs';

const SOCKETS_PER_ADDRESS = 3;
const FLAGS = ['--trusted-proxies', '1', '--max-sockets-per-address', SOCKETS_PER_ADDRESS, '--drain-ms', 2000].map(
  String,
);

/** Real time: nobody may be removed while a bridge restarts. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '15000',
  SPIN_VARIABLE_GRACE_MS: '60000',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '1000',
};

const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];

/** The default of --keep-alive-timeout-ms. */
const KEEP_ALIVE_MS = 75_000;

/** Where each file says how long polls and WebSockets may be silent, and how long idle connections to bridges are kept. */
const IDLE = {
  nginx: { waiting: /proxy_(?:read|send)_timeout (\d+)s/g, kept: /keepalive_timeout (\d+)s/g },
  // HAProxy keeps idle connections for five seconds.
  HAProxy: { waiting: /timeout (?:client|server|tunnel) (\d+)s/g },
  // Caddy lets WebSockets and polls be silent for ever.
  Caddy: { kept: /keepalive (\d+)s/g },
  Envoy: { waiting: /stream_idle_timeout: (\d+)s/g, kept: / idle_timeout: (\d+)s/g },
};

/** More clients, each from an address of its own, than any choice of two bridges sends to one of them. */
const MANY = 40;

describe('behind the proxies of deploy/proxies', { timeout: 900_000 }, () => {
  let [harness, room, browser] = [];
  /** The two bridges behind the proxies. Another one runs the app. */
  let bridges = [];
  const proxies = new Map();
  const residents = [];
  const members = [];
  let addresses = 0;

  let heartbeat;
  before(async () => {
    [harness, browser] = await Promise.all([Harness.start({ variables: VARIABLES }), launch()]);
    room = await harness.room();
    bridges = await Promise.all([start(), start()]);
    await Promise.all(bridges.map((bridge) => bridge.ready()));
    const starts = PROXY_NAMES.map(async (name) =>
      proxies.set(name, await DeployedProxy.start(name, bridges, harness.appUrl)),
    );
    for (const { reason } of await Promise.allSettled(starts)) if (reason) throw reason;
    const response = await fetch(`${bridges[0].url}/socket.io/?EIO=4&transport=polling`);
    heartbeat = JSON.parse((await response.text()).slice(1));
  });
  after(async () => {
    await browser?.close();
    for (const { socket } of residents) socket.disconnect();
    for (const member of members) member.disconnect();
    for (const proxy of proxies.values()) await proxy.stop();
    for (const bridge of bridges) await bridge.stop();
    await harness?.stop();
  });

  function start(listen) {
    const settings = { redis: harness.redis, app: harness.appUrl, variables: VARIABLES, flags: FLAGS };
    return Bridge.start({ ...settings, metrics: true, listen });
  }

  /** An address that no client had before. */
  function newAddress() {
    addresses += 1;
    return `127.1.${addresses >> 8}.${addresses & 255}`;
  }

  const opened = (bridge) => sum(bridge, 'rollcall_sockets_opened_total');

  /** A resident from a new address. Its page comes from the proxy's own host. */
  async function enter(proxy, transports) {
    const address = newAddress();
    const user = `resident-${address}`;
    const options = { ...proxy.from(address), transports, extraHeaders: { origin: proxy.url } };
    const resident = new Resident(user, room, proxy, await tokenFor(user), options);
    residents.push(resident);
    resident.failures = [];
    resident.socket.on('connect_error', (error) => resident.failures.push(error.message));
    await until(
      () => resident.isBack(0),
      () => `${user} is in the room through ${proxy.name} over ${transports}: ${summarize(resident)}`,
    );
    if (transports.length > 1) await until(() => transportOf(resident) === 'websocket', 'the transport is upgraded');
    return resident;
  }

  /** Lets residents enter until the bridge has admitted one; returns their failed attempts to connect. */
  async function enterUntilOn(bridge, proxy, transports) {
    const before = await opened(bridge);
    const failures = [];
    for (let i = 0; i < MANY; i += 1) {
      failures.push(...(await enter(proxy, transports)).failures);
      if ((await opened(bridge)) > before) return failures;
    }
    assert.fail(`${proxy.name} sent nobody to ${bridge.address} over ${transports}`);
  }

  for (const name of PROXY_NAMES) {
    for (const transports of TRANSPORTS) {
      test(`${name}: both bridges get clients over ${transports.join(' and then ')}`, async () => {
        for (const bridge of bridges) {
          assert.deepEqual(await enterUntilOn(bridge, proxies.get(name), transports), []);
        }
      });
    }

    test(`${name}: the page comes from the app and enters a room, and the rest of the app stays inside`, async () => {
      const { url } = proxies.get(name);
      const site = { origin: url, bridge: { address: new URL(url).host } };
      const tab = await RoomTab.open(browser, site, {
        room: await harness.room(),
        user: 'kim',
        options: { ignoreHTTPSErrors: true },
      });
      await tab.entered();
      await tab.text('1 person here').waitFor();
      const { request } = tab.context;
      const operator = { authorization: `Bearer ${OPERATOR_TOKEN}` };
      for (const path of ['/rooms', '/definitions', '/sweep', '/events/join', '/operator', '/assetsx']) {
        for (const method of ['GET', 'POST']) {
          const response = await request.fetch(url + path, { method, headers: operator });
          assert.deepEqual([response.status(), response.headers()['content-security-policy']], [404, undefined], path);
        }
      }
      await tab.close();
    });

    test(`${name}: the bridges count sockets by the address of the client, whatever the client says`, async () => {
      const proxy = proxies.get(name);
      const token = await tokenFor('lea');
      const connect = (options, forged) => {
        const member = new WebSocketMember('lea', proxy, { token, headers: { 'x-forwarded-for': forged }, ...options });
        members.push(member);
        return member.connected();
      };
      const crowded = proxy.from(newAddress());
      let admitted = 0;
      const refusal = await (async () => {
        for (let i = 0; i <= 2 * SOCKETS_PER_ADDRESS; i += 1) {
          try {
            await connect(crowded, `198.51.100.${i}`);
            admitted += 1;
          } catch (error) {
            return error;
          }
        }
      })();
      assert.deepEqual([refusal?.status, JSON.parse(refusal?.body ?? '{}').code], [429, 'TOO_MANY_FROM_ADDRESS']);
      assert.ok(admitted >= SOCKETS_PER_ADDRESS, `${admitted} sockets were admitted`);
      await connect(proxy.from(newAddress()), '198.51.100.0');
    });

    test(`${name}: what is idle stays open until the next ping, and until the bridge would close it`, async () => {
      const text = await textOf(name);
      const timesMs = (pattern) => [...text.matchAll(pattern)].map(([, seconds]) => Number(seconds) * 1000);
      const { waiting, kept } = IDLE[name];
      const { pingInterval, pingTimeout } = heartbeat;
      for (const [pattern, isLongEnough] of [
        [waiting, (ms) => ms > pingInterval + pingTimeout],
        [kept, (ms) => ms < KEEP_ALIVE_MS],
      ]) {
        const times = pattern ? timesMs(pattern) : [];
        assert.ok(!pattern || times.length > 0, `${pattern} is in the file`);
        assert.ok(times.every(isLongEnough), `${pattern}: ${times}`);
      }
    });
  }

  test('a draining bridge gets no new sessions, and its members move without leaving the room', async (t) => {
    const [staying, leaving] = bridges;
    const before = new Map(residents.map((resident) => [resident, resident.acks.length]));
    const movers = [];
    for (const resident of residents) resident.socket.once('server:draining', () => movers.push(resident));
    const stayed = await opened(staying);
    leaving.child.process.kill('SIGTERM');
    await until(() => leaving.child.hasEnded || isDraining(leaving), 'the bridge drains');

    const arrivals = PROXY_NAMES.flatMap((name) => TRANSPORTS.map((transports) => [proxies.get(name), transports]));
    const arrived = await Promise.all(arrivals.map(([proxy, transports]) => enter(proxy, transports)));
    assert.deepEqual(
      arrived.flatMap(({ failures }) => failures),
      [],
    );
    const { code } = await leaving.child.ended;
    assert.equal(code, 0);
    assert.ok(movers.length >= PROXY_NAMES.length * TRANSPORTS.length, `${movers.length} residents were moved`);
    const isBack = (resident) => resident.isBack(before.get(resident));
    await until(
      () => movers.every(isBack),
      () => `all are back: ${movers.filter((resident) => !isBack(resident)).map(summarize)}`,
    );
    assert.ok((await opened(staying)) >= stayed + arrived.length + movers.length);
    t.diagnostic(`${movers.length} members moved, ${arrived.length} arrived meanwhile, removed: 0`);
    await assertNobodyLeft();
  });

  for (const name of PROXY_NAMES) {
    test(`${name}: a bridge that is back gets clients again`, async () => {
      bridges[1] = bridges[1].child.hasEnded ? await start(bridges[1].address) : bridges[1];
      await bridges[1].ready();
      for (const transports of [['polling'], ['websocket']]) {
        await enterUntilOn(bridges[1], proxies.get(name), transports);
      }
    });
  }

  test('no resident was ever out of the room', async () => {
    await until(
      () => residents.every((resident) => resident.isBack(0)),
      () => `all are in the room: ${residents.filter((r) => !r.isBack(0)).map(summarize)}`,
    );
    await assertNobodyLeft();
  });

  async function assertNobodyLeft() {
    for (const { user, acks } of residents) {
      const recovered = acks.map((ack) => ack.recovered);
      assert.deepEqual(recovered, [false, ...Array(acks.length - 1).fill(true)], user);
    }
    const state = await (await harness.api('GET', `/rooms/${room}/members`)).json();
    assert.equal(state.members.length, residents.length);
  }
});

const summarize = ({ user, isIn, failures, refusals, acks, socket }) =>
  JSON.stringify({
    user,
    isIn,
    failures,
    refusals: refusals.slice(0, 3),
    acks: acks.length,
    connected: socket.connected,
    transport: socket.io.engine?.transport?.name,
    state: socket.io.engine?.readyState,
    id: socket.id,
    sid: socket.io.engine?.id,
  });

const transportOf = ({ socket }) => socket.io.engine.transport.name;

async function isDraining(bridge) {
  const { missing } = await (await fetch(`http://${await metricsAddress(bridge)}/readyz`)).json();
  return missing.includes('draining');
}
