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

/** A room of this user on a server. */
export function roomOn(server, userId, { token = () => tokenOf(userId), storage, ...options } = {}) {
  const { transport, connections } = transportTo(server, userId, options);
  const room = new Room({ transport, groupId: 'algebra', token, ...(storage && { storage }) });
  return { room, connections };
}

/** A server, and a room of this user. */
export function roomOf(userId, clock, { network, ...options } = {}) {
  const server = new Server(clock, network);
  return { server, ...roomOn(server, userId, options) };
}
