// What the pages need of a platform: who the user is, a token, and a session of the room. A real platform has all of that.

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

/** What a page needs. A real platform knows its users by their sessions, and asks nobody for a name. */
function session(query) {
  const user = query.get('user') ?? 'guest';
  return { url: ROLLCALL_URL, groupId, token: tokens.sign({ userId: user, username: user }, { expiresInS: 600 }) };
}

/** Serves sessions, and what `find` returns for a path: the type and the content of a file, or nothing. */
export async function serve(find) {
  const respond = async ({ pathname, searchParams }) => {
    if (pathname === '/session') return ['application/json', JSON.stringify(session(searchParams))];
    const file = await find(pathname);
    if (!file) throw new Error(`there is nothing at ${pathname}`);
    return file;
  };

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
}
