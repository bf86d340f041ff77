// Builds the page and serves it: node react/server.mjs

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { serve } from '../platform.mjs';

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A study room</title>
<div id="room"></div>
<script type="module" src="/room.js"></script>
</html>`;

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('room.jsx', import.meta.url))],
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  minify: true,
  write: false,
});

const FILES = { '/': ['text/html', PAGE], '/room.js': ['text/javascript', outputFiles[0].text] };

await serve((pathname) => FILES[pathname]);
