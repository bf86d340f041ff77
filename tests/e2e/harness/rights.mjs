// The least rights of users in Redis, as the operators' documentation lists them.

import { readFile } from 'node:fs/promises';

const PAGE = new URL('../../../docs/operations.md', import.meta.url);

/**
 * Creates the two users of a deployment whose keys and channels begin with `keyspace`. The bridge runs the app in its
 * process and keeps the definitions of sessions in the same Redis.
 */
export async function createUsers(redis, { app, bridge, password, keyspace = 'rollcall' }) {
  const page = await readFile(PAGE, 'utf8');
  const replace = (rule) => rule.replace('>PASSWORD', () => `>${password}`).replace('rollcall:', `${keyspace}:`);
  const documented = (pattern) => page.match(pattern)[1].split(' ').map(replace);
  const store = documented(/these are `(~session:[^`]*)`/);
  if (keyspace !== 'rollcall') store[0] = `~${keyspace}:session:*`;
  // A database with another number than 0 has to be selected.
  const more = keyspace.includes(':') ? ['+select'] : [];
  for (const [user, rules] of [
    [app, documented(/^ACL SETUSER rollcall-app (.*)$/m)],
    [bridge, [...documented(/^ACL SETUSER rollcall-bridge (.*)$/m), ...store]],
  ])
    await redis.client.sendCommand(['ACL', 'SETUSER', user, 'reset', ...rules, ...more]);
}
