// Serves the page and the modules of the client: node page/server.mjs

import { readFile } from 'node:fs/promises';

import { serve } from '../platform.mjs';

const read = (path, base) => readFile(new URL(path, base));

await serve(async (pathname) => {
  if (pathname === '/') return ['text/html', await read('index.html', import.meta.url)];
  const [, module] = pathname.match(/^\/client\/([\w-]+\.js)$/) ?? [];
  return module && ['text/javascript', await read(module, import.meta.resolve('@rollcall/client'))];
});
