import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { entered, Harness, MINUTE } from '../harness/harness.mjs';
import { JWT_KEYS, nameOf } from '../harness/tokens.mjs';

const BINARY = process.env.ROLLCALL_BINARY ?? fileURLToPath(new URL('../../../target/debug/rollcall', import.meta.url));

/** A time in a table. */
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

describe('the command line', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ variables: { SPIN_VARIABLE_FEATURES: 'status chat code' } });
  });
  after(() => harness?.stop());

  /** Runs a command; returns its exit code and output. */
  function run(args, { variables = {}, input = '' } = {}) {
    const env = {
      ROLLCALL_APP_URL: harness.appUrl,
      ROLLCALL_OPERATOR_TOKEN: OPERATOR_TOKEN,
      SPIN_VARIABLE_JWT_KEYS: JWT_KEYS,
      ...variables,
    };
    return new Promise((resolve) => {
      const child = execFile(BINARY, args, { env, timeout: 30_000 }, (error, stdout, stderr) => {
        for (const secret of [OPERATOR_TOKEN, JSON.parse(JWT_KEYS).keys[0].k]) {
          assert.ok(!stdout.includes(secret) && !stderr.includes(secret), 'secrets are not printed');
        }
        resolve({ code: error ? error.code : 0, stdout, stderr });
      });
      // A command that reads no input may have ended already.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }

  /** Runs a command, expects success, and returns the output. */
  async function done(...args) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual([code, stderr], [0, ''], `rollcall ${args.join(' ')}`);
    return stdout;
  }

  const room = (...args) => done('room', ...args);
  const json = async (...args) => JSON.parse(await room(...args, '--json'));

  /** Runs a command and expects the app to refuse it with this code. */
  async function refused(code, args, options) {
    const outcome = await run(args, options);
    assert.deepEqual([outcome.code, outcome.stdout], [1, '']);
    assert.match(outcome.stderr, new RegExp(`^error: ${code}: .`));
  }

  /** A room with lea and kim in it. */
  async function liveRoom() {
    const id = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.webSocket('kim')];
    await lea.enter(id);
    await kim.enter(id);
    await lea.next('room:participantsChanged', entered('kim'));
    return { id, lea, kim };
  }

  test('a client connects with a minted token and gets its name and role', async () => {
    const id = await harness.room();
    const token = (await done('token', '--user', 'ada', '--name', 'Ada L.', '--role', 'tutor')).trimEnd();
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    const ada = await harness.socketIo('ada', { auth: { token } });
    const [{ userId, userName, userRole }] = (await ada.enter(id)).members;
    assert.deepEqual({ userId, userName, userRole }, { userId: 'ada', userName: 'Ada L.', userRole: 'tutor' });
  });

  test('claims can make a minted token invalid', async () => {
    const claims = JSON.stringify({ exp: Math.floor(Date.now() / 1000) - 60 });
    const token = (await done('token', '--user', 'ada', '--claims', claims)).trimEnd();
    await assert.rejects(harness.socketIo('ada', { auth: { token } }), /TOKEN_EXPIRED/);
  });

  test('no token is minted without usable keys', async () => {
    for (const keys of ['', 'hunter2', '{"keys":[]}']) {
      const variables = { SPIN_VARIABLE_JWT_KEYS: keys };
      const { code, stdout, stderr } = await run(['token', '--user', 'ada'], { variables });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^error: .*SPIN_VARIABLE_JWT_KEYS/);
      assert.ok(!stderr.includes('hunter2'));
    }
  });

  test('a session is defined, shown, replaced and deleted', async () => {
    const id = 'über / rooms?';
    const put = ['put', id, '--leader', 'lea', '--end-at'];
    const endAt = (await harness.redis.now()) + 90 * MINUTE;
    assert.match(await room(...put, '+90m'), /is defined, until .*\(in 1h (30m|29m 59s)\)\.\n$/);
    const defined = await json('get', id);
    assert.ok(Math.abs(defined.endAt - endAt) < MINUTE);
    assert.deepEqual(
      await (await harness.api('GET', `/rooms/${encodeURIComponent(id)}`)).json(),
      defined,
      'JSON is passed on as it is',
    );
    assert.match(await room(...put, '+2h', '--member', 'kim', '--capacity', '9', '--duplicates', 'share'), /anew/);
    const shown = await room('get', id);
    for (const line of ['leader      lea', 'members     kim', 'capacity    9', 'duplicates  share']) {
      assert.ok(shown.split('\n').includes(line), `${line} in:\n${shown}`);
    }
    assert.match(shown, new RegExp(`^ends        ${TIME} \\(in 1h 59m`, 'm'));
    await room('delete', id);
    await refused('NO_SUCH_ROOM', ['room', 'get', id]);
  });

  test('members are read from standard input', async () => {
    const put = ['room', 'put', 'from-a-list', '--leader', 'lea', '--end-at', '1900000000000', '--json'];
    const { stdout } = await run([...put, '--members-file', '-'], { input: 'kim\n\nben\n' });
    const definition = { endAt: 1900000000000, leaderId: 'lea', members: ['kim', 'ben'], duplicates: 'refuse' };
    assert.deepEqual(JSON.parse(stdout), definition);
    assert.deepEqual(await json('get', 'from-a-list'), definition);
  });

  test('hidden characters of names, arguments and answers reach the terminal escaped', async () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be printed
    const hidden = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
    const { id } = await liveRoom();
    // As an app wrote it that did not clean names.
    const [key] = (await harness.redis.keysOf(id)).filter((each) => each.includes(':members:'));
    const userName = 'K\u202e\u001b[2Jim\u200b';
    const kim = JSON.parse(await harness.redis.client.hGet(key, 'kim'));
    await harness.redis.client.hSet(key, 'kim', JSON.stringify({ ...kim, userName }));
    const shown = await room('who', id);
    assert.ok(shown.includes(String.raw`K\u{202e}\u{1b}[2Jim\u{200b}`), shown);
    const raw = await room('who', id, '--json');
    for (const output of [shown, raw]) assert.doesNotMatch(output, hidden);
    assert.equal(JSON.parse(raw).members.find(({ userId }) => userId === 'kim').userName, userName);

    const wrong = await run(['room', 'get', 'a\u202e\u001b[2Jb']);
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /must not contain U\+202E, a bidirectional control/);
    const unknown = await run(['room', 'get', 'x', '--\u001b[2J']);
    assert.equal(unknown.code, 2);
    const keyless = await run(['token', '--user', 'ada', '--key-id', '\u202e']);
    assert.equal(keyless.code, 1);
    for (const { stderr } of [wrong, unknown, keyless]) assert.doesNotMatch(stderr, hidden);
  });

  test('a refusal by the app is printed with its code', async () => {
    await refused('NO_SUCH_ROOM', ['room', 'get', 'no-such-room']);
    await refused('MALFORMED', ['room', 'put', 'x', '--leader', 'lea', '--end-at', '100000000000000']);
    const variables = { ROLLCALL_OPERATOR_TOKEN: 'hunter2'.repeat(3) };
    await refused('UNAUTHORIZED', ['room', 'get', 'no-such-room'], { variables });
    const { stderr } = await run(['room', 'get', 'x'], { variables });
    assert.match(stderr, /check ROLLCALL_OPERATOR_TOKEN/);
    assert.ok(!stderr.includes('hunter2'));
  });

  test('an app that does not answer and wrong usage have different exit codes', async () => {
    const away = await run(['room', 'get', 'x', '--app', 'http://127.0.0.1:1']);
    assert.equal(away.code, 1);
    assert.match(away.stderr, /^error: no answer from the app at http:\/\/127\.0\.0\.1:1: /);
    const tokenless = await run(['room', 'get', 'x'], { variables: { ROLLCALL_OPERATOR_TOKEN: undefined } });
    assert.equal(tokenless.code, 1);
    assert.match(tokenless.stderr, /set ROLLCALL_OPERATOR_TOKEN/);
    for (const args of [
      ['room', 'put', 'x', '--leader', 'lea', '--end-at', 'tomorrow'],
      ['room', 'put', 'x', '--leader', 'lea', '--end-at', '1900000000'],
      ['room', 'put', 'x', '--leader', 'lea'],
      ['room', 'get', ''],
      ['room', 'get', 'x', '--app', 'spin.toml'],
      ['token', '--user', 'kim', '--claims', '[]'],
      ['completions', 'tcsh'],
    ]) {
      assert.equal((await run(args)).code, 2, `rollcall ${args.join(' ')}`);
    }
  });

  test('attendance is shown', async () => {
    const { id, lea, kim } = await liveRoom();
    assert.equal((await kim.leave()).success, true);
    await lea.next('room:participantsChanged', ({ change }) => change.type === 'left');
    const lines = (await room('attendance', id)).split('\n');
    assert.match(lines[0], /^USER +NAME +PRESENT +STUDY +STAYS +DROPS +ENTERED +LEFT$/);
    assert.match(lines[1], new RegExp(`^lea +${nameOf('lea')} +\\d+s +\\d+s +1 +0 +${TIME} +is there$`));
    assert.match(lines[2], new RegExp(`^kim +${nameOf('kim')} +\\d+s +\\d+s +1 +0 +${TIME} +${TIME}$`));
    const { attendees } = await json('attendance', id);
    assert.deepEqual(
      attendees.map(({ userId, stays }) => [userId, stays.length]),
      [
        ['lea', 1],
        ['kim', 1],
      ],
    );
    assert.equal(await room('attendance', 'nobody-ever'), 'Nobody was there.\n');
  });

  test('messages are shown', async () => {
    const { id, lea } = await liveRoom();
    assert.equal(await room('chat', id), 'Nobody has written.\n');
    await lea.request('chat:send', { text: 'Hello\n2026-11-23T18:00:00Z Kim' });
    const shown = await room('chat', id);
    const expected = `^${TIME} ${nameOf('lea')} \\(lea\\) #\\d+: Hello\\n    2026-11-23T18:00:00Z Kim\\n$`;
    assert.match(shown, new RegExp(expected));
    const { messages } = await json('chat', id);
    assert.deepEqual(
      messages.map(({ userId }) => userId),
      ['lea'],
    );
  });

  test('shared code is listed and printed', async () => {
    const { id, lea } = await liveRoom();
    assert.equal(await room('code', id), 'Nobody shares code.\n');
    const text = 'if a:\n\tprint("가")';
    const { data } = await lea.request('code:share', { text, title: 'Sort', language: 'python' });
    const { number } = data.snippet;
    const row = `^${number} +Sort +python +${nameOf('lea')} +1 +${Buffer.byteLength(text)} +${TIME}$`;
    assert.match((await room('code', id)).split('\n')[1], new RegExp(row));
    assert.equal(await room('code', id, `${number}`), `${text}\n`);
    assert.deepEqual((await json('code', id)).snippets, [data.snippet]);
  });

  test('live rooms are listed', async () => {
    const { id } = await liveRoom();
    const idle = await harness.room();
    const { rooms } = await json('ls');
    const live = rooms.find((each) => each.id === id);
    assert.deepEqual([live.count, live.endAt > live.startedAt], [2, true]);
    assert.ok(!rooms.some((each) => each.id === idle));
    const lines = (await room('ls')).split('\n');
    assert.match(lines[0], /^ROOM +MEMBERS +STARTED +ENDS$/);
    assert.ok(
      lines.some((line) => new RegExp(`^${id} +2 +${TIME} +${TIME} +in \\d+m`).test(line)),
      lines.join('\n'),
    );
  });

  test('the members of a room are shown', async () => {
    const { id, lea, kim } = await liveRoom();
    await lea.request('member:update', { status: 'break', goal: 'Chapter 3' });
    kim.terminate();
    await lea.next('room:participantReconnecting');
    const shown = await room('who', id);
    for (const line of [
      `^room +${id}$`,
      '^leader +lea$',
      '^members +2$',
      `^lea +${nameOf('lea')} +- +${TIME} +present +break +Chapter 3$`,
      `^kim +${nameOf('kim')} +- +${TIME} +reconnecting until ${TIME} +- +-$`,
    ]) {
      assert.match(shown, new RegExp(line, 'm'));
    }
    const { count, members } = await json('who', id);
    assert.deepEqual([count, members.map(({ userId }) => userId)], [2, ['lea', 'kim']]);
    await refused('(NOT_LIVE|NO_SUCH_ROOM)', ['room', 'who', await harness.room()]);
  });

  test('the end of a session is moved', async () => {
    const { id, kim } = await liveRoom();
    assert.match(await room('move', id, '--end-at', '+2h'), /now ends at .* \(in (2h|1h 59m 59s)\)\.\n$/);
    const { endAt } = await kim.next('room:rescheduled');
    assert.equal((await json('get', id)).endAt, endAt);
    await refused('NO_SUCH_ROOM', ['room', 'move', 'no-such-room', '--end-at', '+2h']);
  });

  test('a user is removed from a room', async () => {
    const { id, lea, kim } = await liveRoom();
    assert.equal(await room('kick', id, 'kim'), `kim is out of ${id}.\n`);
    await kim.next('room:removed');
    await kim.closed;
    await lea.next('room:participantsChanged', ({ change }) => change.type === 'removed');
  });

  test('everybody in a room gets a notice', async () => {
    const { id, lea, kim } = await liveRoom();
    await room('notice', id, 'Five minutes left: <b>hurry</b>');
    for (const member of [lea, kim]) {
      assert.equal((await member.next('room:notice')).text, 'Five minutes left: <b>hurry</b>');
    }
    await refused('MALFORMED', ['room', 'notice', id, ' ']);
  });

  test('a session is ended, and its definition stays', async () => {
    const { id, lea, kim } = await liveRoom();
    assert.equal(await room('end', id), `The session of ${id} has ended.\n`);
    for (const member of [lea, kim]) {
      assert.equal((await member.next('room:ended')).reason, 'ended');
      await member.closed;
    }
    const { leaderId, endAt } = await json('get', id);
    assert.deepEqual([leaderId, endAt <= (await harness.redis.now())], ['lea', true]);
    await refused('NO_SUCH_ROOM', ['room', 'end', 'no-such-room']);
  });

  test('shells complete commands, and help teaches them', async () => {
    for (const shell of ['bash', 'zsh', 'fish', 'powershell', 'elvish']) {
      assert.match(await done('completions', shell), /attendance/);
    }
    assert.match(await room('put', '--help'), /Examples:\n {2}rollcall room put/);
    assert.ok(!(await room('--help')).includes(OPERATOR_TOKEN));
  });
});
