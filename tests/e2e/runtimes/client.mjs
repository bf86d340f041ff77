// A client that answers in the chat, for each runtime.

import { Room, webSocket } from '@rollcall/client';
import { socketIo } from '@rollcall/client/socket.io';
import { io } from 'socket.io-client';

/** `WebSocket`: for a runtime that has none of its own. */
export async function run({ url, transport, groupId, token, WebSocket, print }) {
  const room = new Room({
    transport:
      transport === 'WebSocket'
        ? webSocket({ url, ...(WebSocket && { WebSocket }) })
        : socketIo({ url, io, options: { transports: ['websocket'] } }),
    groupId,
    token: () => token,
  });
  let state;
  room.subscribe(() => {
    const { connection } = room.getSnapshot();
    if (connection.state !== state) print(connection.state);
    state = connection.state;
  });
  let answer;
  room.on('chat:message', async ({ message }) => {
    if (message.userId === room.getSnapshot().self?.userId) return;
    await answer;
    if (message.text === 'leave') await room.leave();
    else answer = room.chat.send(`You said ${message.text}`);
  });
  room.on('closed', ({ kind, code }) => print(`over: ${kind} ${code ?? ''}`));
  try {
    await room.join();
  } catch (error) {
    print(`refused: ${error.code}`);
  }
}
