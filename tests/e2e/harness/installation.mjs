// A folder with programs, as somebody has it who has installed the packages.

import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Child } from './child.mjs';
import { JWT_KEYS } from './tokens.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Packages and where they lie. Those of this repository must be compiled. */
const PACKAGES = {
  '@rollcall/client': path('../../../clients/js'),
  '@rollcall/react': path('../../../clients/react'),
  '@rollcall/server': path('../../../clients/server'),
  esbuild: path('../node_modules/esbuild'),
  react: path('../../../clients/react/node_modules/react'),
  'react-dom': path('../../../clients/react/node_modules/react-dom'),
  'socket.io-client': path('../node_modules/socket.io-client'),
  ws: path('../node_modules/ws'),
};

export class Installation {
  #children = [];

  /** `source`: where the programs lie, from this folder. */
  static async of(source) {
    const installation = new Installation();
    installation.folder = await mkdtemp(join(tmpdir(), 'rollcall-installation-'));
    await cp(path(source), installation.folder, {
      recursive: true,
      filter: (file) => !file.includes('node_modules'),
    });
    for (const [name, target] of Object.entries(PACKAGES)) {
      const link = join(installation.folder, 'node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(target, link);
    }
    return installation;
  }

  /** Starts a program in the folder. */
  start(command, args, env = {}) {
    const variables = { PATH: process.env.PATH, ROLLCALL_JWT_KEYS: JWT_KEYS, ...env };
    const child = new Child(command, args, { cwd: this.folder, env: variables });
    this.#children.push(child);
    return child;
  }

  async stop() {
    await Promise.all(this.#children.map((child) => child.kill()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
