// A bot that obeys in the chat: node bot.mjs ROOM
//
// !focus 25    everybody focuses for 25 minutes
// !left        how long the timer still runs

import { RollcallError, Room, serverNow, timerAt, webSocket } from '@rollcall/client';
import { TokenSigner } from '@rollcall/server';
import { WebSocket } from 'ws';

const [groupId] = process.argv.slice(2);
const { ROLLCALL_URL: url = 'http://127.0.0.1:8080', ROLLCALL_JWT_KEYS } = process.env;
const tokens = new TokenSigner({ key: JSON.parse(ROLLCALL_JWT_KEYS).keys[0] });
const userId = 'bot';

const room = new Room({
  // Node.js has a WebSocket of its own from version 22.
  transport: webSocket({ url, WebSocket }),
  groupId,
  token: () => tokens.sign({ userId, username: 'Bot', userRole: 'bot' }),
});

async function focus(minutes) {
  await room.timer.set({ mode: 'countdown', durationMs: minutes * 60_000 });
  await room.timer.start();
  return `Focus for ${minutes} minutes.`;
}

function left() {
  const { timer, clock } = room.getSnapshot();
  if (!timer) return 'No timer is set.';
  const { phase, remainingMs } = timerAt(timer, serverNow(clock));
  return `${phase}: ${Math.ceil((remainingMs ?? 0) / 1000)} seconds left.`;
}

function answer(text) {
  const [, minutes] = text.match(/^!focus (\d{1,3})$/) ?? [];
  if (minutes) return focus(Number(minutes));
  return text === '!left' ? left() : undefined;
}

room.on('chat:message', async ({ message }) => {
  if (message.userId === userId) return;
  try {
    const text = await answer(message.text);
    if (text) await room.chat.send(text);
  } catch (error) {
    if (!(error instanceof RollcallError)) throw error;
    console.error(`${error.code}: ${error.message}`);
  }
});
room.on('closed', ({ kind }) => {
  console.log(`closed: ${kind}`);
});
process.once('SIGTERM', () => room.leave());

await room.join();
console.log(`in ${groupId}`);
