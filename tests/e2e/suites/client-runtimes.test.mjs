import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Balancer } from '../harness/balancer.mjs';
import { command } from '../harness/command.mjs';
import { about, changed, entered, Harness } from '../harness/harness.mjs';
import { Installation } from '../harness/installation.mjs';
import { RUNTIMES } from '../harness/runtimes.mjs';
import { foreignKey, tokenFor } from '../harness/tokens.mjs';
import { until, within } from '../harness/wait.mjs';

describe('the client in each runtime', { timeout: 300_000 }, () => {
  let [harness, balancer, programs] = [];
  before(async () => {
    harness = await Harness.start({ variables: { SPIN_VARIABLE_FEATURES: 'chat' } });
    balancer = await Balancer.start(harness.bridges[0]);
    programs = await Installation.of('../runtimes');
  });
  after(async () => {
    await balancer?.stop();
    await harness?.stop();
    await programs?.stop();
  });

  function start([program, ...args], options) {
    return programs.start(program, [...args, JSON.stringify({ url: balancer.url, ...options })]);
  }

  async function assertEnds(client) {
    const { code } = await within(client.ended, () => `the end of the process: ${client.lines.join('\n')}`);
    assert.equal(code, 0, client.lines.join('\n'));
  }

  for (const [name, runtime] of Object.entries(RUNTIMES)) {
    for (const transport of ['WebSocket', 'Socket.IO']) {
      test(`it enters, comes back after a cut, gets events, sends commands and ends (${name}, ${transport})`, async () => {
        const groupId = await harness.room();
        const lea = await harness.webSocket('lea');
        await lea.enter(groupId);
        const client = start(runtime, { transport, groupId, token: await tokenFor('kim') });
        await client.line(/^connected$/);
        await lea.next('room:participantsChanged', entered('kim'));
        const isAnswered = async (text) => {
          await command(lea, 'chat:send', { text });
          await lea.next('chat:message', ({ message }) => message.text === `You said ${text}`);
        };
        await isAnswered('hello');

        balancer.cut();
        await lea.next('room:participantReconnected', about('kim'));
        await until(() => client.lines.filter((line) => line === 'connected').length === 2, 'the client is back');
        await isAnswered('welcome back');

        await command(lea, 'chat:send', { text: 'leave' });
        await lea.next('room:participantsChanged', changed('left', 'kim'));
        await assertEnds(client);
        assert.deepEqual(client.lines, [
          'connecting',
          'connected',
          'reconnecting',
          'connected',
          'closed',
          'over: left ',
        ]);
        await lea.leave();
      });

      test(`a refusal has its code, and nothing keeps the process (${name}, ${transport})`, async () => {
        const groupId = await harness.room();
        const token = await tokenFor('kim', { signedWith: foreignKey() });
        const client = start(runtime, { transport, groupId, token });
        await assertEnds(client);
        assert.deepEqual(client.lines, [
          'connecting',
          'closed',
          'over: refused TOKEN_INVALID',
          'refused: TOKEN_INVALID',
        ]);
      });
    }
  }
});
