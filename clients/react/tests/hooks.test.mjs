// The tests of the hooks, with each React that people use.

import './dom.mjs';

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { build } from 'esbuild';

const REACTS = {
  'React 19': {},
  'React 18': { react: 'react-18', 'react-dom': 'react-dom-18' },
};

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = await mkdtemp(join(here, '../node_modules/.tests-'));
after(() => rm(folder, { recursive: true, force: true }));

for (const [name, alias] of Object.entries(REACTS)) {
  const outfile = join(folder, `${name.replace(' ', '-')}.mjs`);
  await build({
    entryPoints: [join(here, 'hooks.mjs')],
    outfile,
    // From there, packages under other names are found.
    absWorkingDir: here,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['happy-dom', 'node:*'],
    alias: { ...alias, '@rollcall/react': join(here, '../dist/index.js') },
    // What is bundled asks for modules of Node.js with `require`.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire('${here}');` },
    logLevel: 'error',
  });
  const { testHooks } = await import(pathToFileURL(outfile));
  testHooks(name);
}
