// The proxies of deploy/proxies, run from these very files, each in front of the same two bridges and the app.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { makeCertificate } from './certificates.mjs';
import { Child } from './child.mjs';
import { reservePort } from './ports.mjs';
import { pythonTool } from './python.mjs';
import { until } from './wait.mjs';

const FILES = fileURLToPath(new URL('../../../deploy/proxies/', import.meta.url));

/** What deploy/proxies/README.md says to replace. */
const placeholders = ({ port, folder, bridges, app }) => [
  [/(?<=listen |bind |0\.0\.0\.0, port_value: |bind :)443/g, String(port)],
  [/\/etc\/rollcall\//g, `${folder}/`],
  [/(?<=server app |server )app:3000/g, app],
  [/address: app, port_value: 3000/g, `address: ${app.split(':')[0]}, port_value: ${app.split(':')[1]}`],
  [/bridge-([ab]):8080/g, (_, letter) => bridges[letter === 'a' ? 0 : 1].address],
  [
    /address: bridge-([ab]), port_value: 8080/g,
    (_, letter) => {
      const [host, bridgePort] = bridges[letter === 'a' ? 0 : 1].address.split(':');
      return `address: ${host}, port_value: ${bridgePort}`;
    },
  ],
];

const NGINX_MAIN = (folder) => `daemon off;
  master_process off;
  pid ${folder}/nginx.pid;
  error_log stderr info;
  events { worker_connections 1024; }
  http {
    access_log off;
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
    include ${folder}/nginx.conf;
  }`;

/** How each proxy is started with the file of that name. */
const PROXIES = {
  nginx: {
    file: 'nginx.conf',
    async command({ folder, file }) {
      await writeFile(join(folder, 'main.conf'), NGINX_MAIN(folder));
      assert.equal(file, join(folder, 'nginx.conf'));
      return [process.env.ROLLCALL_NGINX ?? '/usr/sbin/nginx', '-c', join(folder, 'main.conf'), '-e', 'stderr'];
    },
  },
  HAProxy: {
    file: 'haproxy.cfg',
    command: ({ file }) => [process.env.ROLLCALL_HAPROXY ?? '/usr/sbin/haproxy', '-f', file],
  },
  Caddy: {
    file: 'Caddyfile',
    command: ({ file }) => [pythonTool('caddy'), 'run', '--config', file, '--adapter', 'caddyfile'],
    /** Caddy makes the certificate by itself. */
    ca: ({ folder }) => join(folder, 'caddy/pki/authorities/local/root.crt'),
    variables: async ({ folder, port, bridges, app }) => ({
      ROLLCALL_SITE: '127.0.0.1',
      ROLLCALL_BRIDGES: bridges.map(({ address }) => address).join(' '),
      ROLLCALL_APPS: app,
      ROLLCALL_HTTP_PORT: String(await reservePort()),
      ROLLCALL_HTTPS_PORT: String(port),
      CADDY_ADMIN: `127.0.0.1:${await reservePort()}`,
      XDG_DATA_HOME: folder,
      XDG_CONFIG_HOME: folder,
    }),
  },
  Envoy: {
    file: 'envoy.yaml',
    command: ({ file }) => [pythonTool('envoy'), '-c', file, '--concurrency', '2', '--disable-hot-restart'],
  },
};

export const PROXY_NAMES = Object.keys(PROXIES);

/** The text of a proxy's file. */
export const textOf = (name) => readFile(join(FILES, PROXIES[name].file), 'utf8');

export class DeployedProxy {
  #agents = new Map();

  /** `appUrl`: where the app listens. */
  static async start(name, bridges, appUrl) {
    const proxy = new DeployedProxy();
    const { file, command, variables, ca } = PROXIES[name];
    proxy.name = name;
    proxy.folder = await mkdtemp(join(tmpdir(), `rollcall-${file}-`));
    proxy.port = await reservePort();
    try {
      const setup = {
        folder: proxy.folder,
        port: proxy.port,
        bridges,
        app: new URL(appUrl).host,
        file: join(proxy.folder, file),
      };
      const { cert, key } = await makeCertificate();
      for (const [end, text] of Object.entries({ crt: cert, key, pem: `${cert}\n${key}` })) {
        await writeFile(join(proxy.folder, `tls.${end}`), text);
      }
      const text = await textOf(name);
      const replaced = placeholders(setup).reduce((all, [from, to]) => all.replace(from, to), text);
      await writeFile(setup.file, replaced);
      const [program, ...args] = await command(setup);
      proxy.child = new Child(program, args, { env: { PATH: process.env.PATH, ...(await variables?.(setup)) } });
      proxy.ca = await proxy.#certificate(ca ? ca(setup) : join(proxy.folder, 'tls.crt'));
      await until(
        () => proxy.#answers(),
        () => `${name} answers:\n${proxy.child.lines.join('\n')}`,
      );
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    return proxy;
  }

  get url() {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Options of a client that trusts the proxy and comes from an address of the loopback network. */
  from(localAddress) {
    const agent = this.#agents.get(localAddress) ?? new Agent({ keepAlive: true, ca: this.ca, localAddress });
    this.#agents.set(localAddress, agent);
    return { agent, ca: this.ca };
  }

  #certificate(file) {
    return until(() => {
      assert.ok(!this.child.hasEnded, `${this.name} ended:\n${this.child.lines.join('\n')}`);
      return readFile(file, 'utf8').catch(() => undefined);
    }, `${this.name} has a certificate`);
  }

  /** Whether the proxy passes a request to a bridge. */
  #answers() {
    assert.ok(!this.child.hasEnded, `${this.name} ended:\n${this.child.lines.join('\n')}`);
    return new Promise((resolve) => {
      request(`${this.url}/healthz`, { ca: this.ca }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
        .on('error', () => resolve(false))
        .end();
    });
  }

  async stop() {
    for (const agent of this.#agents.values()) agent.destroy();
    await this.child?.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
