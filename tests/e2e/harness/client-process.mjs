// A client in a process of its own, for tests that kill it:
// node client-process.mjs <url> <token> <room> [transport] [user]

import { io } from 'socket.io-client';

const [url, token, groupId, transport = 'websocket', user] = process.argv.slice(2);
const socket = io(url, { auth: { token, user }, transports: [transport], reconnection: false });
socket.on('connect_error', (error) => console.log(`refused ${error.message}`));
socket.on('connect', () => {
  socket.emit('room:join', { groupId }, (ack) => console.log(`ack ${JSON.stringify(ack)}`));
});
