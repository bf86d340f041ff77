import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { RollcallApi, RollcallError } from '../dist/index.js';
import { breakOff, problem, Service, silence } from './service.mjs';

const { paths } = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));

const ROOM = 'a/b ?교%';
const DEFINITION = { endAt: 1_900_000_000_000 };

/** Arguments of each operation. */
const ARGUMENTS = {
  list: [{ limit: 7, after: 'x&y' }],
  counts: [['a', 7]],
  get: [ROOM, { ifNoneMatch: '"1"' }],
  put: [ROOM, DEFINITION, { ifMatch: '"1"' }],
  patch: [ROOM, { capacity: null }],
  delete: [ROOM],
  attendance: [ROOM],
  commandChat: [ROOM, { command: 'chat:slow', data: { intervalMs: 1000 }, id: 'c-1' }],
  commandTimer: [ROOM, { command: 'timer:start', data: {} }],
  end: [ROOM],
  members: [ROOM, { limit: 7 }],
  kick: [ROOM, 'kim/lee'],
  history: [ROOM, { before: 7, limit: 3 }],
  notify: [ROOM, 'Hello'],
  snippets: [ROOM],
  snippet: [ROOM, 3],
  closeSnippet: [ROOM, 3],
  sweep: [],
  sweepByPath: ['token'],
};

const methodOf = ({ operationId }) => operationId.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

describe('the HTTP API', () => {
  let [service, api] = [];
  beforeEach(async () => {
    service = await Service.start();
    api = new RollcallApi({ url: `${service.url}/app/`, token: 'secret-token', attemptTimeoutMs: 2000 });
  });
  afterEach(() => service.stop());

  const refused = async (promise, code, details = {}) => {
    const error = await promise.then(
      () => assert.fail('the call has success'),
      (error) => error,
    );
    assert.ok(error instanceof RollcallError, error.stack);
    const { isUncertain = false, ...others } = details;
    assert.deepEqual([error.code, error.isUncertain], [code, isUncertain], error.message);
    for (const [name, value] of Object.entries(others)) assert.equal(error[name], value);
  };

  test('every operation of the description can be called', async () => {
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const name = methodOf(operation);
        service.answers.push({ status: 200, body: {} });
        await api[name](...ARGUMENTS[name]);
        const request = service.requests.at(-1);
        const [called, query = ''] = request.path.split('?');
        const pattern = path.replace(/\{\w+\}/g, '[^/]+');
        assert.match(called, new RegExp(`^/app${pattern}$`), name);
        assert.equal(request.method, method.toUpperCase(), name);
        assert.equal(request.headers.authorization, 'Bearer secret-token', name);
        const [type] = Object.keys(operation.requestBody?.content ?? {});
        assert.deepEqual([request.headers['content-type'], request.body !== ''], [type, type !== undefined], name);
        const known = (operation.parameters ?? [])
          .filter((parameter) => parameter.in === 'query')
          .map(({ name }) => name);
        for (const parameter of new URLSearchParams(query).keys()) assert.ok(known.includes(parameter), parameter);
      }
    }
  });

  test('ids are percent-encoded, and parameters reach the query', async () => {
    await api.kick(ROOM, 'kim/lee');
    assert.equal(service.requests[0].path, '/app/rooms/a%2Fb%20%3F%EA%B5%90%25/members/kim%2Flee');
    await api.list({ after: 'x&y' });
    assert.equal(service.requests[1].path, '/app/rooms?after=x%26y');
  });

  test('ids that would lead elsewhere, or that Rollcall would refuse, are not sent', async () => {
    for (const id of ['.', '..', '', 'a\u200bb', 1.5]) {
      await assert.rejects(api.delete(id), TypeError, String(id));
      await assert.rejects(api.kick('algebra', id), TypeError, String(id));
    }
    await assert.rejects(api.counts(['a,b']), TypeError);
    assert.deepEqual(service.requests, []);
  });

  test('the revision of a definition comes and goes with it', async () => {
    const answer = (status) => ({ status, headers: { etag: '"3"' }, body: DEFINITION });
    service.answers = [answer(201), answer(200), answer(200), { status: 304, headers: { etag: '"3"' } }];
    const stored = { definition: DEFINITION, etag: '"3"' };
    assert.deepEqual(await api.put('algebra', DEFINITION, { ifNoneMatch: '*' }), { ...stored, isNew: true });
    assert.deepEqual(await api.put('algebra', DEFINITION, { ifMatch: '"2"' }), { ...stored, isNew: false });
    assert.deepEqual(await api.get('algebra'), stored);
    assert.equal(await api.get('algebra', { ifNoneMatch: '"3"' }), null);
    assert.equal(service.requests[0].headers['if-none-match'], '*');
    assert.equal(service.requests[1].headers['if-match'], '"2"');
  });

  test('a refusal has its code, its reason and its status', async () => {
    service.answers = [problem(404, 'NO_SUCH_ROOM')];
    await refused(api.get('algebra'), 'NO_SUCH_ROOM', { status: 404, message: 'Why NO_SUCH_ROOM' });
    assert.equal(service.requests.length, 1, 'nobody tries again');
  });

  test('what had no effect is tried again, whatever it is', async () => {
    service.answers = [problem(429, 'RATE_LIMITED'), problem(409, 'CONFLICT'), { status: 204 }];
    await api.notify('algebra', 'Hello');
    assert.equal(service.requests.length, 3);
  });

  test('what may have had its effect is tried again only if that does no harm', async () => {
    for (const failure of [problem(503, 'UNAVAILABLE'), { status: 502, body: 'Bad gateway' }, breakOff]) {
      service.answers = [failure, { status: 200, body: {} }];
      await api.attendance('algebra');
    }
    service.requests = [];
    service.answers = [problem(503, 'UNAVAILABLE'), { status: 502, body: 'Bad gateway' }, breakOff, breakOff];
    await refused(api.notify('algebra', 'Hello'), 'UNAVAILABLE', { isUncertain: true, status: 503 });
    await refused(api.notify('algebra', 'Hello'), 'UNREADABLE', { isUncertain: true, status: 502 });
    await refused(api.notify('algebra', 'Hello'), 'UNREACHABLE', { isUncertain: true });
    await refused(api.put('algebra', DEFINITION, { ifMatch: '"1"' }), 'UNREACHABLE', { isUncertain: true });
    assert.equal(service.requests.length, 4);
  });

  test('a command keeps its id when it is tried again', async () => {
    service.answers = [breakOff, { status: 200, body: {} }];
    await api.commandTimer('algebra', { command: 'timer:start', data: {} });
    const [first, second] = service.requests.map(({ body }) => body.id);
    assert.ok(first);
    assert.equal(second, first);
  });

  test('a refusal after an attempt that may have had its effect is uncertain', async () => {
    service.answers = [breakOff, problem(404, 'NO_SUCH_MEMBER')];
    await refused(api.kick('algebra', 'kim'), 'NO_SUCH_MEMBER', { isUncertain: true, status: 404 });
  });

  test('Retry-After is respected, and a longer one than the time that is left is not waited for', async () => {
    service.answers = [problem(429, 'RATE_LIMITED', { 'retry-after': '1' })];
    const began = performance.now();
    await api.end('algebra');
    assert.ok(performance.now() - began > 990);
    service.answers = [problem(503, 'OVERLOADED', { 'retry-after': '60' })];
    await refused(api.attendance('algebra'), 'OVERLOADED', { isUncertain: true, status: 503 });
  });

  test('a silent server costs the time that the caller grants', async () => {
    const hasty = new RollcallApi({ url: service.url, token: 't', timeoutMs: 700, attemptTimeoutMs: 100 });
    service.answers = Array.from({ length: 20 }, () => silence);
    await refused(hasty.attendance('algebra'), 'TIMED_OUT', { isUncertain: true });
    assert.ok(service.requests.length > 1, 'an attempt does not take all the time');
  });

  test('an address where nobody listens is no effect', async () => {
    service.stop();
    const hasty = new RollcallApi({ url: service.url, token: 't', timeoutMs: 300 });
    await refused(hasty.notify('algebra', 'Hello'), 'UNREACHABLE');
  });

  test('a signal ends a call, and the pause before the next attempt', async () => {
    const controller = new AbortController();
    const reason = new Error('the user is gone');
    service.answers = [
      (response) => {
        response.on('finish', () => setImmediate(() => controller.abort(reason)));
        const { status, headers, body } = problem(429, 'RATE_LIMITED', { 'retry-after': '10' });
        response.writeHead(status, headers).end(JSON.stringify(body));
      },
    ];
    await assert.rejects(api.end('algebra', { signal: controller.signal }), reason);
    await assert.rejects(api.end('algebra', { signal: controller.signal }), reason);
  });

  test('no redirect gets the token', async () => {
    service.answers = [{ status: 307, headers: { location: '/elsewhere' } }];
    await refused(api.attendance('algebra'), 'UNREADABLE', { isUncertain: true, status: 307 });
    assert.equal(service.requests.length, 1);
  });

  test('a page of a proxy is no response', async () => {
    service.answers = [{ status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Hello</h1>' }];
    await refused(api.attendance('algebra'), 'UNREADABLE', { isUncertain: true, status: 200 });
  });

  test('pages follow each other to the last one', async () => {
    service.answers = [
      { status: 200, body: { rooms: [{ id: 1 }, { id: 2 }], next: 'a' } },
      { status: 200, body: { rooms: [], next: 'b' } },
      { status: 200, body: { rooms: [{ id: 3 }] } },
      { status: 200, body: { members: [{ userId: 1 }], next: '9' } },
      { status: 200, body: { members: [{ userId: 2 }] } },
      { status: 200, body: { messages: [{ number: 4 }], more: true, last: 5 } },
      { status: 200, body: { messages: [{ number: 6 }], more: false, last: 6 } },
    ];
    const all = async (iterator, name) => (await collect(iterator)).map((item) => item[name]);
    assert.deepEqual(await all(api.eachRoom(), 'id'), [1, 2, 3]);
    assert.deepEqual(await all(api.eachMember('algebra'), 'userId'), [1, 2]);
    assert.deepEqual(await all(api.eachMessage('algebra', { after: 3 }), 'number'), [4, 6]);
    const queries = service.requests.map(({ path }) => path.split('?')[1]);
    assert.deepEqual(queries, [
      undefined,
      'after=a',
      'after=b',
      undefined,
      'after=9',
      'after=3&limit=100',
      'after=5&limit=100',
    ]);
  });

  test('an address or a token that no request can have is refused at once', () => {
    for (const url of ['', 'app.example', 'ftp://app.example']) {
      assert.throws(() => new RollcallApi({ url, token: 't' }), TypeError);
    }
    for (const token of ['', 'a b', 'a\n'])
      assert.throws(() => new RollcallApi({ url: service.url, token }), TypeError);
  });
});

async function collect(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}
