// A room of the client, connected to the server's double.

import { Room } from '../dist/index.js';
import { Connection, Server } from './server.mjs';

/** A token that the client can read. */
export function tokenOf(userId) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode({ userId, username: `Name of ${userId}` })}.`;
}

/** A transport to a server. `connections` lists all its connections, the newest last. */
export function transportTo(server, userId, { bridge = () => 0, opens = () => true } = {}) {
  const connections = [];
  const transport = (token, events) => {
    const connection = new Connection(server, server.bridges[bridge()], userId, events);
    connection.token = token;
    connections.push(connection);
    if (!opens()) connection.cut();
    return connection;
  };
  return { transport, connections };
}

/** A server, and a room of this user. */
export function roomOf(userId, clock, { network, token = () => tokenOf(userId), ...options } = {}) {
  const server = new Server(clock, network);
  const { transport, connections } = transportTo(server, userId, options);
  const room = new Room({ transport, groupId: 'algebra', token });
  return { server, room, connections };
}
