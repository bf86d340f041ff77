import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { allow, ChatHook, change, refuse, WebhookError } from '../dist/index.js';

const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3';
const OTHER = 'whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4';
const QUESTION = { type: 'chat.message', roomId: '교실', userId: '7', commandId: 'c-1', text: 'Hello' };

const nowS = () => Math.floor(Date.now() / 1000);

function call({ body = JSON.stringify(QUESTION), id = 'call-1', timestamp = nowS(), secret = SECRET } = {}) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const hash = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${hash}` };
  return { body, headers };
}

const hook = new ChatHook(SECRET);

function refused(run, status) {
  assert.throws(run, (error) => error instanceof WebhookError && error.status === status);
}

test('a signed question is read, whatever form its body and headers have', () => {
  const { body, headers } = call();
  for (const form of [body, Buffer.from(body), new Uint8Array(Buffer.from(body))]) {
    for (const given of [headers, new Headers(headers)]) {
      assert.deepEqual(hook.verify(form, given), { ...QUESTION, webhookId: 'call-1' });
    }
  }
});

test('any of several secrets and of several signatures will do', () => {
  const { body, headers } = call();
  assert.equal(new ChatHook([OTHER, SECRET]).verify(body, headers).text, 'Hello');
  refused(() => new ChatHook(OTHER).verify(body, headers), 401);
  const foreign = `v1,${Buffer.alloc(32).toString('base64')} v1a,${'A'.repeat(44)} v1`;
  const several = { ...headers, 'webhook-signature': `${foreign} ${headers['webhook-signature']}` };
  assert.equal(hook.verify(body, several).text, 'Hello');
});

test('unsigned, altered and stale calls are refused', () => {
  const { body, headers } = call();
  for (const name of Object.keys(headers)) {
    refused(() => hook.verify(body, { ...headers, [name]: undefined }), 401);
    refused(() => hook.verify(body, { ...headers, [name]: [headers[name], headers[name]] }), 401);
    refused(() => hook.verify(body, { ...headers, [name]: `${headers[name]}0` }), 401);
  }
  refused(() => hook.verify(body.replace('Hello', 'Hullo'), headers), 401);
  refused(
    () => hook.verify(body, { ...headers, 'webhook-signature': `v2,${headers['webhook-signature'].slice(3)}` }),
    401,
  );
  for (const timestamp of [nowS() - 302, nowS() + 302, 'NaN', '', '1e9', ' 7', `${nowS()}.5`, '9'.repeat(30)]) {
    const { body, headers } = call({ timestamp });
    refused(() => hook.verify(body, headers), 401);
  }
  for (const timestamp of [nowS() - 295, nowS() + 295]) {
    const { body, headers } = call({ timestamp });
    assert.equal(hook.verify(body, headers).text, 'Hello');
  }
});

test('a signed call that is no question is refused', () => {
  for (const body of ['', '{', 'null', '7', '[]', '{"type":"chat.edit"}', '{"type":"chat.message","roomId":7}']) {
    const { headers } = call({ body });
    refused(() => hook.verify(body, headers), 400);
  }
  const { body, headers } = call({ body: ' '.repeat(64 * 1024 + 1) });
  refused(() => hook.verify(body, headers), 413);
});

test('a body that something has parsed already is a mistake of the program', () => {
  const { headers } = call();
  assert.throws(() => hook.verify(QUESTION, headers), TypeError);
});

test('weak secrets are refused without being quoted', () => {
  for (const secret of ['', 'whsec_', 'whsec_c2hvcnQ=', SECRET.slice(6), `${SECRET}%`, []]) {
    assert.throws(
      () => new ChatHook(secret),
      (error) => error instanceof TypeError && !/c2hvcnQ/.test(error.message),
    );
  }
});

test('an answer is what Rollcall takes', async () => {
  const { body, headers } = call();
  const answered = async (answer) => JSON.parse((await hook.respond(body, headers, () => answer)).body);
  assert.deepEqual(await answered(allow()), { allow: true });
  assert.deepEqual(await answered(change('H****')), { allow: true, text: 'H****' });
  assert.deepEqual(await answered(refuse()), { allow: false });
  assert.deepEqual(await answered(Promise.resolve(refuse('Be kind.'))), { allow: false, reason: 'Be kind.' });
  for (const text of ['', ' \n', 'x'.repeat(2001), 'x\ud800']) assert.throws(() => change(text), TypeError);
  assert.equal(change('😀'.repeat(2000)).allow, true);
});

describe('listener', () => {
  let server;
  let decide = () => allow();
  const failures = [];
  before(async () => {
    server = createServer(
      hook.listener(
        (question) => decide(question),
        (error) => failures.push(error.message),
      ),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => server.close());

  const post = ({ body, headers }) =>
    fetch(`http://127.0.0.1:${server.address().port}/`, { method: 'POST', body, headers });

  test('a question is answered, and a call of strangers is not', async () => {
    decide = ({ text }) => (text === 'Hello' ? refuse('Be kind.') : allow());
    const answer = await post(call());
    assert.deepEqual([answer.status, await answer.json()], [200, { allow: false, reason: 'Be kind.' }]);
    const stranger = await post(call({ secret: OTHER }));
    assert.deepEqual([stranger.status, 'allow' in (await stranger.json())], [401, false]);
  });

  test('a decision that fails is no answer', async () => {
    decide = () => Promise.reject(new Error('the database is away'));
    const answer = await post(call());
    const body = await answer.text();
    assert.deepEqual([answer.status, body.includes('allow'), body.includes('database')], [500, false, false]);
    assert.deepEqual(failures, ['the database is away']);
  });
});
