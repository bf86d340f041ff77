import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { loseFirstResponse, passAgain, startBehindProxy } from '../harness/behind-proxy.mjs';
import { Bridge } from '../harness/bridge.mjs';
import { command } from '../harness/command.mjs';
import { Harness, MINUTE, TRANSPORTS } from '../harness/harness.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const POMODORO = { mode: 'pomodoro', focusMs: 25 * MINUTE, shortBreakMs: 5 * MINUTE, cycles: 2 };

describe('timer', { timeout: 900_000 }, () => {
  let [harness, proxy] = [];
  before(async () => {
    [harness, proxy] = await startBehindProxy({ persistent: true, variables: {} });
  });
  afterEach(() => passAgain(proxy));
  after(async () => {
    await harness?.stop();
    await proxy?.stop();
  });

  for (const transport of TRANSPORTS) {
    test(`the host sets a timer, and everybody counts the same time from Redis (${transport})`, async () => {
      const room = await harness.room();
      const lea = await harness.connect(transport, 'lea');
      const kim = await harness.connect(transport, 'kim', { bridge: 1 });
      await lea.enter(room);
      await kim.enter(room);
      const set = await command(lea, 'timer:set', POMODORO);
      assert.deepEqual(
        [set.timer.state, set.timer.phase, set.timer.cycle, set.timer.plan.longBreakMs],
        ['idle', 'focus', 1, 15 * MINUTE],
      );
      const started = await command(lea, 'timer:start');
      assert.equal(started.timer.endsAt - started.timer.startedAt, 25 * MINUTE);
      for (const member of [lea, kim]) {
        const { timer, by, seq, epoch } = await member.next('timer:changed', ({ timer }) => timer.state === 'running');
        assert.deepEqual(
          [timer, by, seq, epoch],
          [started.timer, { userId: 'lea', userName: 'Name of lea' }, started.seq, started.epoch],
        );
      }

      await harness.redis.advance(26 * MINUTE);
      for (const member of [lea, kim]) {
        const { timer, phases } = await member.next('timer:phaseChanged');
        assert.deepEqual([timer.phase, timer.startedAt, phases], ['shortBreak', started.timer.endsAt, 1]);
      }
      const ali = await harness.connect(transport, 'ali', { bridge: 1 });
      const joined = await ali.enter(room);
      assert.equal(joined.timer.endsAt, started.timer.endsAt + 5 * MINUTE);
      // The hour of the client's own clock plays no part.
      const remainMs = joined.timer.endsAt - joined.now;
      assert.ok(remainMs > 3.5 * MINUTE && remainMs <= 4 * MINUTE, `${remainMs} ms`);
    });

    test(`refusals say what to do and change nothing (${transport})`, async () => {
      const room = await harness.room();
      const [lea, kim] = [await harness.connect(transport, 'lea'), await harness.connect(transport, 'kim')];
      const code = async (member, event, payload) => (await member.request(event, payload)).code;
      assert.equal(await code(kim, 'timer:start', {}), 'NOT_IN_ROOM');
      await lea.enter(room);
      await kim.enter(room);
      assert.equal(await code(lea, 'timer:start', {}), 'NO_TIMER');
      assert.equal(await code(kim, 'timer:set', POMODORO), 'NOT_ALLOWED');
      assert.equal(await code(lea, 'timer:burn', {}), 'UNKNOWN_EVENT');
      for (const [event, payload, reason] of [
        ['timer:set', undefined, 'mode'],
        ['timer:set', [], 'object'],
        ['timer:set', { mode: 'hourglass' }, 'stopwatch'],
        ['timer:set', { ...POMODORO, focusMs: 10 }, 'focusMs'],
        ['timer:start', 'now', 'object'],
        ['timer:start', { id: '\u200b' }, 'id'],
        ['timer:start', { id: 'x'.repeat(129) }, 'id'],
      ]) {
        const ack = await lea.request(event, payload);
        assert.equal(ack.code, 'MALFORMED', `${event} ${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
        assert.ok(ack.message.includes(reason), ack.message);
      }
      await lea.leave();
      assert.equal(await code(lea, 'timer:set', POMODORO), 'NOT_IN_ROOM');
      assert.equal(kim.count('timer:changed'), 0);
      assert.equal((await command(kim, 'timer:set', { mode: 'stopwatch' })).timer.state, 'idle', 'Kim is host now');
    });
  }

  test('a command whose response was lost is applied once, as is one that a client sends again', async () => {
    const room = await harness.room();
    const lea = await harness.socketIo('lea', { bridge: 1 });
    await lea.enter(room);
    await command(lea, 'timer:set', POMODORO);
    await command(lea, 'timer:start');
    const countCalls = loseFirstResponse(proxy, '/events/timer');
    const skipped = await command(lea, 'timer:skip', { id: 'skip-1' });
    assert.deepEqual([skipped.timer.phase, countCalls()], ['shortBreak', 2]);
    // The client has reconnected and knows of no ack.
    const { resumeToken } = await lea.enter(room);
    const again = await harness.webSocket('lea');
    await again.enter(room, { resumeToken });
    assert.equal((await command(again, 'timer:skip', { id: 'skip-1' })).timer.phase, 'shortBreak');
    assert.equal((await command(again, 'timer:skip', { id: 'skip-2' })).timer.phase, 'focus');
    await again.next('timer:changed', ({ timer }) => timer.phase === 'focus');
  });

  test('a timer outlives bridges and a restart of Redis', async () => {
    const room = await harness.room();
    const bridge = harness.bridges.push(await Bridge.start({ redis: harness.redis, app: harness.appUrl })) - 1;
    await harness.bridges[bridge].ready();
    const lea = await harness.webSocket('lea', { bridge });
    await lea.enter(room);
    await command(lea, 'timer:set', POMODORO);
    const { timer } = await command(lea, 'timer:start');
    await harness.bridges[bridge].child.kill('SIGKILL');
    await harness.redis.crash();
    await harness.redis.restart();
    await harness.redis.advance(40 * MINUTE);
    const [, ack] = await harness.enterAfterOutage('Socket.IO', 'kim', room);
    assert.deepEqual(
      [ack.timer.phase, ack.timer.cycle, ack.timer.startedAt],
      ['focus', 2, timer.startedAt + 30 * MINUTE],
    );
  });

  test('an operator sets every timer, whoever may otherwise', async () => {
    const room = await harness.room({ timerBy: 'leader', leaderId: 'nobody' });
    const kim = await harness.socketIo('kim');
    await kim.enter(room);
    const post = (body) => harness.api('POST', `/rooms/${room}/timer`, body);
    assert.equal((await kim.request('timer:set', POMODORO)).code, 'NOT_ALLOWED');
    const response = await post({ command: 'timer:set', data: { mode: 'countdown', durationMs: MINUTE }, id: 'once' });
    assert.equal(response.status, 200);
    const { timer, now } = await response.json();
    assert.deepEqual([timer.state, timer.phase, now > 0], ['idle', 'countdown', true]);
    const { by } = await kim.next('timer:changed');
    assert.equal(by, undefined);
    assert.equal((await post({ command: 'timer:start', data: {} })).status, 200);
    await harness.redis.advance(MINUTE);
    assert.equal((await kim.next('timer:phaseChanged')).timer.state, 'finished');
    assert.deepEqual((await (await post({ command: 'timer:pause', data: {} })).json()).code, 'TIMER_STATE');
    assert.equal((await post({ command: 'timer:burn', data: {} })).status, 400);
    assert.equal(
      (await harness.api('POST', '/rooms/elsewhere/timer', { command: 'timer:start', data: {} })).status,
      404,
    );
  });

  test('who may set the timer changes while the session goes on, and a session may do without', async () => {
    const room = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.webSocket('kim', { bridge: 1 })];
    await lea.enter(room);
    await kim.enter(room);
    const patch = (change) => harness.api('PATCH', `/rooms/${room}`, change);
    assert.equal((await patch({ timerBy: 'anyone' })).status, 200);
    await command(kim, 'timer:set', POMODORO);
    assert.equal((await patch({ features: [] })).status, 200);
    assert.equal((await kim.request('timer:start')).code, 'FEATURE_OFF');
    assert.equal((await patch({ features: null, timerBy: 'host' })).status, 200);
    assert.equal((await kim.request('timer:start')).code, 'NOT_ALLOWED');
    await command(lea, 'timer:start');
    assert.equal((await patch({ timerBy: 'me' })).status, 400);
    assert.equal((await patch({ features: ['teleport'] })).status, 400);
  });

  test('no client of this suite saw a gap in the sequence numbers', () => harness.assertNoGaps());
});

describe('a deployment without a timer', { timeout: 900_000 }, () => {
  /** Everything but the component, which needs not be deployed. */
  async function manifestWithoutTimer() {
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-'));
    const manifest = await readFile(`${ROOT}spin.toml`, 'utf8');
    const sections = manifest.split(/^(?=\[)/m);
    const kept = sections.filter((section) => !/^\[component\.timer|^component = "timer"$/m.test(section));
    assert.equal(sections.length - kept.length, 4);
    const path = join(folder, 'spin.toml');
    await writeFile(path, kept.join('').replaceAll('source = "target/', `source = "${ROOT}target/`));
    return [path, () => rm(folder, { recursive: true })];
  }

  for (const [how, options] of [
    ['by its variable', { variables: { SPIN_VARIABLE_FEATURES: '' } }],
    ['by its manifest', {}],
  ]) {
    test(`answers FEATURE_OFF and is ready (${how})`, async () => {
      const [manifest, remove] = options.variables ? [undefined, () => {}] : await manifestWithoutTimer();
      const harness = await Harness.start({ manifest, ...options });
      try {
        const lea = await harness.socketIo('lea');
        await lea.enter(await harness.room());
        assert.equal((await lea.request('timer:set', POMODORO)).code, 'FEATURE_OFF');
      } finally {
        await harness.stop();
        await remove();
      }
    });
  }
});
