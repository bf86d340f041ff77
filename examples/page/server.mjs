// Serves the page, the client and tokens: node server.mjs

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { RollcallApi, TokenSigner } from '@rollcall/server';

const {
  PORT = '8000',
  ROLLCALL_URL = 'http://127.0.0.1:8080',
  ROLLCALL_APP_URL = 'http://127.0.0.1:3000',
  ROLLCALL_OPERATOR_TOKEN,
  ROLLCALL_JWT_KEYS,
} = process.env;

const tokens = new TokenSigner({ key: JSON.parse(ROLLCALL_JWT_KEYS).keys[0] });
const groupId = 'algebra';

/** What the page needs. A real platform knows its users by their sessions, and asks nobody for a name. */
function session(query) {
  const user = query.get('user') ?? 'guest';
  return { url: ROLLCALL_URL, groupId, token: tokens.sign({ userId: user, username: user }, { expiresInS: 600 }) };
}

async function respond({ pathname, searchParams }) {
  if (pathname === '/session') return ['application/json', JSON.stringify(session(searchParams))];
  if (pathname === '/') return ['text/html', await readFile(new URL('index.html', import.meta.url))];
  const [, module] = pathname.match(/^\/client\/([\w-]+\.js)$/) ?? [];
  if (module) return ['text/javascript', await readFile(new URL(module, import.meta.resolve('@rollcall/client')))];
  throw new Error(`there is nothing at ${pathname}`);
}

const api = new RollcallApi({ url: ROLLCALL_APP_URL, token: ROLLCALL_OPERATOR_TOKEN });
await api.put(groupId, { endAt: Date.now() + 60 * 60_000 });

createServer(async ({ url }, response) => {
  try {
    const [type, body] = await respond(new URL(url, 'http://localhost'));
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  } catch (error) {
    response.writeHead(404).end(error.message);
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}/?user=kim`));
