// A real nginx in front of a bridge.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Child } from './child.mjs';
import { reserveAddress } from './ports.mjs';

const PROGRAM = process.env.ROLLCALL_NGINX ?? '/usr/sbin/nginx';

export class Nginx {
  /** The status and the path of each response, in order. */
  async responses() {
    const lines = (await readFile(join(this.folder, 'access.log'), 'utf8')).trim().split('\n');
    return lines.map((line) => line.split(' ')).map(([status, path]) => ({ status: Number(status), path }));
  }

  /** Starts a proxy that keeps idle connections to the bridge for a while, and replaces `Host`, as nginx does. */
  static async start(bridge, { keepAliveMs }) {
    const nginx = new Nginx();
    nginx.folder = await mkdtemp(join(tmpdir(), 'rollcall-nginx-'));
    nginx.address = await reserveAddress();
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const file = join(nginx.folder, 'nginx.conf');
    await writeFile(
      file,
      `daemon off;
      master_process off;
      pid ${nginx.folder}/nginx.pid;
      error_log stderr info;
      events { worker_connections 1024; }
      http {
        log_format short '$status $uri';
        access_log ${nginx.folder}/access.log short;
        ${paths.map((name) => `${name}_temp_path ${nginx.folder}/${name};`).join('\n')}
        upstream bridge {
          server ${bridge.address};
          keepalive 64;
          keepalive_timeout ${keepAliveMs}ms;
        }
        server {
          listen ${nginx.address};
          location / {
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
          }
        }
      }`,
    );
    nginx.child = new Child(PROGRAM, ['-c', file, '-e', 'stderr']);
    try {
      await nginx.child.line(/event method/);
    } catch (error) {
      await nginx.stop();
      throw error;
    }
    return nginx;
  }

  get url() {
    return `http://${this.address}`;
  }

  async stop() {
    await this.child?.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
