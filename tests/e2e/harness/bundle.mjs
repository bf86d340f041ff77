// Programs with the Yjs provider from its TypeScript sources, in one file each.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The provider's folder may have its own copy of Yjs, and documents of two copies do not understand each other. */
const ONE_COPY = { yjs: path('../node_modules/yjs'), 'y-protocols': path('../node_modules/y-protocols') };

const PLATFORMS = { node: { platform: 'node', format: 'cjs' }, browser: { platform: 'browser', format: 'iife' } };

/** A program in a temporary folder. */
export class Bundle {
  /** `program` is a file of this folder. `platform` is `node` or `browser`. */
  static async of(program, platform) {
    const bundle = new Bundle();
    bundle.folder = await mkdtemp(join(tmpdir(), 'rollcall-bundle-'));
    bundle.file = join(bundle.folder, 'program.cjs');
    await build({
      entryPoints: [path(program)],
      outfile: bundle.file,
      bundle: true,
      alias: ONE_COPY,
      mainFields: ['module', 'main'],
      logLevel: 'error',
      ...PLATFORMS[platform],
    });
    return bundle;
  }

  stop() {
    return rm(this.folder, { recursive: true, force: true });
  }
}
