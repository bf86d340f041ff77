// A bridge: the real binary, which runs the app or calls another bridge's app.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { Child } from './child.mjs';
import { reserveAddress } from './ports.mjs';
import { JWT_KEYS } from './tokens.mjs';
import { until } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const binaryIn = (checkout) => `${checkout}/target/debug/rollcall`;
const BINARY = process.env.ROLLCALL_BINARY ?? binaryIn(ROOT);

const MANIFEST = process.env.ROLLCALL_MANIFEST ?? 'spin.toml';

/** The secret with which bridges sign their calls. */
export const BRIDGE_SECRET = `whsec_${randomBytes(32).toString('base64')}`;

/** The token of operators. */
export const OPERATOR_TOKEN = randomBytes(24).toString('hex');

export class Bridge {
  /**
   * `app`: the URL of an app in another process; without it, the bridge runs the app itself.
   * `variables`: environment variables beyond the defaults. `listen` and `appListen`: addresses of an earlier
   * bridge that this one takes over. `metrics`: whether to serve metrics, or the address of an earlier bridge for them. `openFiles`: limit of open files.
   * `manifest`: the path of the app's manifest. `checkout`: the folder of another release, which is built.
   */
  static async start({
    redis,
    app,
    flags = [],
    variables = {},
    listen,
    appListen,
    metrics = false,
    openFiles,
    manifest = MANIFEST,
    checkout,
  }) {
    const bridge = new Bridge();
    const line = [checkout ? binaryIn(checkout) : BINARY, 'bridge', '--listen', listen ?? (await reserveAddress())];
    if (app) line.push('--app', app);
    else line.push('--app', manifest, '--app-listen', appListen ?? (await reserveAddress()));
    if (metrics) line.push('--metrics-listen', metrics === true ? await reserveAddress() : metrics);
    line.push(...flags);
    const [command, ...args] = openFiles ? ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...line] : line;
    bridge.child = new Child(command, args, {
      cwd: checkout ?? ROOT,
      env: {
        PATH: process.env.PATH,
        RUST_LOG: process.env.RUST_LOG ?? 'info',
        NO_COLOR: '1',
        ROLLCALL_COMPONENT_CACHE: `${ROOT}target/component-cache`,
        ROLLCALL_BRIDGE_SECRET: BRIDGE_SECRET,
        ROLLCALL_REDIS_URL: `redis://${redis.address}`,
        SPIN_VARIABLE_BRIDGE_SECRETS: BRIDGE_SECRET,
        SPIN_VARIABLE_JWT_KEYS: JWT_KEYS,
        SPIN_VARIABLE_JWT_LEEWAY_S: '0',
        SPIN_VARIABLE_OPERATOR_TOKENS: OPERATOR_TOKEN,
        SPIN_VARIABLE_REDIS_ADDRESS: redis.address,
        // Suites move the clock by minutes, and no lease may end by that.
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

  /** Whether the process still runs and answers. */
  async isHealthy() {
    const response = await fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(30_000) });
    return !this.child.hasEnded && response.ok;
  }

  /** Waits until users can join. */
  async ready() {
    const isReady = async () => (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(30_000) })).ok;
    await until(isReady, 'the bridge is ready');
  }

  async stop() {
    await this.child.kill('SIGKILL');
  }
}
