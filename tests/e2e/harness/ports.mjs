// Ports of servers. Clients and bridges reconnect by themselves, so a port that one test gave back and another took
// would lead them to a foreign server. A test process therefore keeps its ports until it ends, whether a server is
// running on them or not.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range from which the kernel chooses ports for outgoing connections. */
const FIRST_PORT = 11_000;
const PORTS = 2_500;

const ATTEMPTS = 200;

/**
 * A port of 127.0.0.1 that no other test process gets before this one ends.
 *
 * The process that listens on `port + PORTS` owns the port. The kernel releases that lock even after a crash.
 */
export async function reservePort() {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const lock = await tryListen(port + PORTS);
    if (!lock) continue;
    const probe = await tryListen(port);
    if (probe) {
      await close(probe);
      return port;
    }
    // A program that knows nothing of these locks uses the port.
    await close(lock);
  }
  throw new Error(`no free port after ${ATTEMPTS} attempts`);
}

export const reserveAddress = async () => `127.0.0.1:${await reservePort()}`;

/** Makes a server of this process listen on a reserved port. */
export async function listen(server) {
  server.listen(await reservePort(), '127.0.0.1');
  await once(server, 'listening');
}

/** A server that keeps a port busy, or nothing if the port is in use. */
async function tryListen(port) {
  const server = createServer((socket) => socket.destroy()).unref();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return server;
}

async function close(server) {
  server.close();
  await once(server, 'close');
}
