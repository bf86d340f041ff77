import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { Child } from '../harness/child.mjs';
import { command } from '../harness/command.mjs';
import { Harness } from '../harness/harness.mjs';
import { edgesOfHidden, isHidden } from '../harness/hidden-characters.mjs';
import { reservePort } from '../harness/ports.mjs';
import { pythonTool } from '../harness/python.mjs';
import { loadPackage } from '../harness/sources.mjs';
import { JWT_KEYS } from '../harness/tokens.mjs';

const PACKAGE = fileURLToPath(new URL('../../../clients/python/', import.meta.url));
const SERVICE = fileURLToPath(new URL('../harness/service.py', import.meta.url));
const HOOK_SECRET = `whsec_${randomBytes(24).toString('base64')}`;

/** Prints which of the characters in the argument are hidden. */
const WHICH = `
import json, sys
from rollcall_server import check_id
for code in json.loads(sys.argv[1]):
    try:
        check_id(chr(code), "id")
    except ValueError:
        print(code)
`;

describe('the package for Python', { timeout: 900_000 }, () => {
  const children = [];
  const python = (args, env = {}) => {
    const variables = { PYTHONPATH: `${PACKAGE}src`, PYTHONDONTWRITEBYTECODE: '1', ...env };
    children.push(new Child(pythonTool('python'), args, { env: variables }));
    return children.at(-1);
  };

  test('its unit tests pass', async () => {
    const tests = python(['-m', 'unittest', 'discover', '-s', `${PACKAGE}tests`]);
    const { code } = await tests.ended;
    assert.equal(code, 0, tests.lines.join('\n'));
    assert.ok(tests.lines.some((line) => /^Ran [1-9]\d* tests/.test(line)));
  });

  test('it knows the hidden characters that the package for Node.js knows', async () => {
    const { checkId } = await loadPackage('server');
    const codes = edgesOfHidden(checkId);
    const which = python(['-c', WHICH, JSON.stringify(codes)]);
    await which.ended;
    assert.deepEqual(which.lines, codes.filter((code) => isHidden(code, checkId)).map(String));
  });

  describe('with real servers', () => {
    const room = 'algebra 교실';
    let [harness, made] = [];
    before(async () => {
      const port = await reservePort();
      harness = await Harness.start({
        variables: {
          SPIN_VARIABLE_FEATURES: 'chat',
          SPIN_VARIABLE_CHAT_HOOK_SCHEME: 'http',
          SPIN_VARIABLE_CHAT_HOOK_ADDRESS: `127.0.0.1:${port}`,
          SPIN_VARIABLE_CHAT_HOOK_PATH: '/check',
          SPIN_VARIABLE_CHAT_HOOK_SECRET: HOOK_SECRET,
          SPIN_VARIABLE_CHAT_HOOK_TIMEOUT_MS: '1500',
        },
      });
      const service = python([SERVICE, harness.appUrl, port, room], { JWT_KEYS, OPERATOR_TOKEN, HOOK_SECRET });
      made = JSON.parse(await service.line(/^\{.*\}$/));
    });
    after(async () => {
      await harness?.stop();
      await Promise.all(children.map((child) => child.kill()));
    });

    test('a definition is set under conditions', async () => {
      const stored = await (await harness.api('GET', `/rooms/${encodeURIComponent(room)}`)).json();
      assert.deepEqual(made.definition, stored);
      assert.equal(made.isUnmodified, true);
      assert.deepEqual(made.refusal, ['PRECONDITION_FAILED', 412, false]);
    });

    test('a token admits its user, and messages are allowed, changed and refused', async () => {
      const kim = await harness.client('WebSocket', { token: made.token }).connected();
      const { members } = await kim.enter(room);
      assert.deepEqual([members[0].userId, members[0].userName, members[0].userRole], ['kim', 'Kim', 'tutor']);
      assert.equal((await command(kim, 'chat:send', { text: 'Hello 교실' })).message.text, 'Hello 교실');
      assert.equal((await command(kim, 'chat:send', { text: 'darn' })).message.text, '****');
      const refusal = await kim.request('chat:send', { text: 'rude' });
      assert.deepEqual([refusal.code, refusal.message], ['MESSAGE_REFUSED', 'Be kind.']);
    });
  });
});
