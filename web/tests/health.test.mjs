// What metrics mean for the operator.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { load } from './bundle.mjs';

const { judgeBridge, readBridge, worst } = await load(`
  export { judgeBridge, worst } from './operator/health/judge.ts';
  export { readBridge } from './operator/health/metrics.ts';
`);

const HEALTHY = {
  missing: [],
  sockets: 10,
  maxSockets: 100,
  rooms: 2,
  calls: 1000,
  failedCalls: 7,
  circuit: 'closed',
  overdueS: 0,
  leaseLosses: 1,
  startedAt: 5,
  residentBytes: 1,
  version: '1',
};

const looks = (...changes) => changes.map((change, at) => ({ at, metrics: change && { ...HEALTHY, ...change } }));
const found = (...changes) => judgeBridge(looks(...changes)).map(({ kind, state }) => `${kind} ${state}`);

test('a bridge in ordinary operation has nothing wrong', () => {
  assert.deepEqual(found({}, { calls: 2000, failedCalls: 10 }), []);
  assert.deepEqual(found(), []);
});

test('a bridge that does not answer is bad at the second time', () => {
  assert.deepEqual(found({}, null), ['silent attention']);
  assert.deepEqual(found({}, null, null), ['silent bad']);
  assert.deepEqual(found(null), ['silent bad']);
  assert.deepEqual(found(null, null, {}), []);
});

test('missing parts are bad, and a stop is not', () => {
  assert.deepEqual(found({ missing: ['redis', 'app'] }), ['redis bad', 'app bad']);
  assert.deepEqual(found({ missing: ['draining'] }), ['draining attention']);
});

test('a bridge is nearly full, and full', () => {
  assert.deepEqual(found({ sockets: 79 }), []);
  assert.deepEqual(found({ sockets: 80 }), ['nearlyFull attention']);
  assert.deepEqual(found({ sockets: 98 }), ['full bad']);
});

test('failing calls count within the window only, and as a share', () => {
  assert.deepEqual(found({}, { calls: 1100, failedCalls: 11 }), []);
  assert.deepEqual(found({}, { calls: 1100, failedCalls: 12 }), ['callsFailing attention']);
  assert.deepEqual(found({}, { calls: 1100, failedCalls: 57 }), ['callsFailing bad']);
  assert.deepEqual(found({}, { calls: 1009, failedCalls: 16 }), [], 'too few calls to tell');
});

test('a start resets the counters', () => {
  assert.deepEqual(found({}, { startedAt: 9, calls: 50, failedCalls: 0, leaseLosses: 0 }), ['restarted attention']);
});

test('overdue deadlines, an open circuit and a lost lease are told', () => {
  assert.deepEqual(found({ overdueS: 4 }), []);
  assert.deepEqual(found({ overdueS: 5 }), ['overdue attention']);
  assert.deepEqual(found({ overdueS: 31 }), ['overdue bad']);
  assert.deepEqual(found({ circuit: 'open' }), ['circuitOpen bad']);
  assert.deepEqual(found({}, { leaseLosses: 2 }), ['leaseLost attention']);
});

test('the worst state counts', () => {
  assert.equal(worst(['ok', 'bad', 'attention']), 'bad');
  assert.equal(worst(['ok', 'unknown']), 'unknown');
  assert.equal(worst([]), 'ok');
});

test('what a bridge serves is read, and another text is not', () => {
  const text = `# TYPE rollcall_part_missing gauge
rollcall_part_missing{part="redis"} 1
rollcall_part_missing{part="app"} 0
rollcall_sockets_open{transport="websocket"} 3
rollcall_sockets_open{transport="polling"} 4
rollcall_max_sockets 100
rollcall_app_call_duration_seconds_bucket{le="0.1",kind="join",outcome="ok"} 99
rollcall_app_call_duration_seconds_count{kind="join",outcome="ok"} 5
rollcall_app_call_duration_seconds_count{kind="join",outcome="NOT_A_MEMBER"} 2
rollcall_app_call_duration_seconds_count{kind="join",outcome="timeout"} 1
rollcall_app_circuit_state{state="closed"} 0
rollcall_app_circuit_state{state="open"} 1
rollcall_build_info{version="0.1.0",profile="re\\"lease"} 1
process_start_time_seconds 1700000000.5
# EOF
`;
  const { missing, sockets, maxSockets, calls, failedCalls, circuit, startedAt, residentBytes, version } =
    readBridge(text);
  assert.deepEqual(
    { missing, sockets, maxSockets, calls, failedCalls, circuit, startedAt, residentBytes, version },
    {
      missing: ['redis'],
      sockets: 7,
      maxSockets: 100,
      calls: 8,
      failedCalls: 1,
      circuit: 'open',
      startedAt: 1_700_000_000_500,
      residentBytes: null,
      version: '0.1.0',
    },
  );
  assert.equal(readBridge('<html>A proxy</html>'), null);
});
