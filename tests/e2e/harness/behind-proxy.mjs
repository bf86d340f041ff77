// Two bridges, of which the second one calls the app through a proxy: for tests that lose, hold and refuse calls.

import { Bridge } from './bridge.mjs';
import { Harness } from './harness.mjs';
import { AppProxy, LOSE, PASS } from './proxy.mjs';

/** Real time: leases run out. */
const VARIABLES = {
  SPIN_VARIABLE_LEASE_MS: '2000',
  SPIN_VARIABLE_GRACE_MS: '30000',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '500',
  ROLLCALL_APP_TIMEOUT_MS: '2000',
};

/** Starts both bridges; the first one runs the app. Options are those of the harness. */
export async function startBehindProxy({ variables = VARIABLES, ...options } = {}) {
  const harness = await Harness.start({ variables, ...options });
  const proxy = await AppProxy.start(harness.appUrl);
  harness.bridges.push(await Bridge.start({ redis: harness.redis, app: proxy.url, variables }));
  return [harness, proxy];
}

/** Loses the response to the first call to a path. Returns a function that says how many calls came. */
export function loseFirstResponse(proxy, lossy) {
  let calls = 0;
  proxy.does = ({ path }) => {
    if (path !== lossy) return PASS;
    calls += 1;
    return calls === 1 ? LOSE : PASS;
  };
  return () => calls;
}

/** Lets all calls pass from now on, those that are held as well. */
export function passAgain(proxy) {
  Object.assign(proxy, { isBroken: false, does: () => PASS });
  proxy.release();
}
