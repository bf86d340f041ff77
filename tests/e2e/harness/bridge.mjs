// A bridge: the real binary, with the app in its process or elsewhere.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { Child } from './child.mjs';
import { reserveAddress } from './ports.mjs';
import { JWT_KEYS } from './tokens.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BINARY = process.env.ROLLCALL_BINARY ?? `${ROOT}target/debug/rollcall`;

const MANIFEST = process.env.ROLLCALL_MANIFEST ?? 'spin.toml';

/** What bridges sign their calls with. */
export const BRIDGE_SECRET = `whsec_${randomBytes(32).toString('base64')}`;

/** What operators show. */
export const OPERATOR_TOKEN = randomBytes(24).toString('hex');

export class Bridge {
  /**
   * `app`: the URL of an app that runs elsewhere; without it, the app runs in the bridge's process.
   * `variables`: environment to set beside or instead of the usual. `listen` and `appListen`: addresses of an earlier
   * bridge that this one takes over. `metrics`: whether to serve metrics. `openFiles`: limit of open files.
   */
  static async start({ redis, app, flags = [], variables = {}, listen, appListen, metrics = false, openFiles }) {
    const bridge = new Bridge();
    const line = [BINARY, 'bridge', '--listen', listen ?? (await reserveAddress())];
    if (app) line.push('--app', app);
    else line.push('--app', MANIFEST, '--app-listen', appListen ?? (await reserveAddress()));
    if (metrics) line.push('--metrics-listen', await reserveAddress());
    line.push(...flags);
    const [command, ...args] = openFiles ? ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...line] : line;
    bridge.child = new Child(command, args, {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        RUST_LOG: process.env.RUST_LOG ?? 'info',
        NO_COLOR: '1',
        ROLLCALL_BRIDGE_SECRET: BRIDGE_SECRET,
        ROLLCALL_REDIS_URL: `redis://${redis.address}`,
        SPIN_VARIABLE_BRIDGE_SECRETS: BRIDGE_SECRET,
        SPIN_VARIABLE_JWT_KEYS: JWT_KEYS,
        SPIN_VARIABLE_JWT_LEEWAY_S: '0',
        SPIN_VARIABLE_OPERATOR_TOKENS: OPERATOR_TOKEN,
        SPIN_VARIABLE_REDIS_ADDRESS: redis.address,
        // The suites move the clock by minutes, which no lease of seconds would outlive.
        SPIN_VARIABLE_LEASE_MS: '86400000',
        ROLLCALL_HEARTBEAT_INTERVAL_MS: '600000',
        ...variables,
      },
    });
    try {
      const [, address] = await bridge.child.line(/bridge\.started.*?listen(?:=|":")([^\s"]+)/);
      bridge.address = address;
      bridge.appUrl = app ?? `http://${(await bridge.child.line(/serving.*?address(?:=|":")([^\s"]+)/))[1]}`;
    } catch (error) {
      await bridge.stop();
      throw error;
    }
    return bridge;
  }

  get url() {
    return `http://${this.address}`;
  }

  get pid() {
    return this.child.pid;
  }

  /** Whether it is the same process still, and answers. */
  async isWell() {
    const response = await fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(5000) });
    return !this.child.hasEnded && response.ok;
  }

  async stop() {
    await this.child.kill('SIGKILL');
  }
}
