// A study room in React: members with what they do, a timer, and a chat.

import { Room, webSocket } from '@rollcall/client';
import { RoomProvider, useChat, useConnection, useMembers, useSelf, useTimer } from '@rollcall/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

const session = async () => (await fetch(`/session${location.search}`)).json();
const { url, groupId } = await session();

// Made once, outside of the render.
const room = new Room({
  transport: webSocket({ url }),
  groupId,
  token: async () => (await session()).token,
  // A reload keeps the seat.
  storage: () => sessionStorage,
});

function Connection() {
  const { state, reason, join, leave } = useConnection();
  return (
    <p>
      <output>{reason?.kind ?? state}</output>{' '}
      {state === 'closed' ? (
        <button type="button" onClick={join}>
          Enter
        </button>
      ) : (
        <button type="button" onClick={leave}>
          Leave
        </button>
      )}
    </p>
  );
}

function Timer() {
  const { view, hasTimer, set, start, pause, resume } = useTimer();
  const [refusal, setRefusal] = useState('');
  if (!hasTimer) return null;
  const attempt = (work) => () => work().catch((error) => setRefusal(error.message));
  const begin = attempt(async () => {
    await set({ mode: 'countdown', durationMs: 25 * 60_000 });
    await start();
  });
  return (
    <p>
      <span role="timer">{view && `${view.phase} ${(view.remainingMs ?? view.elapsedMs) / 1000} s`}</span>{' '}
      {view?.state === 'running' ? (
        <button type="button" onClick={attempt(pause)}>
          Pause
        </button>
      ) : view?.state === 'paused' ? (
        <button type="button" onClick={attempt(resume)}>
          Resume
        </button>
      ) : (
        <button type="button" onClick={begin}>
          Focus for 25 minutes
        </button>
      )}{' '}
      {refusal}
    </p>
  );
}

function Members() {
  const { members, count } = useMembers();
  const { self, update } = useSelf();
  const isFocusing = self?.status === 'focusing';
  return (
    <section>
      <h2>{count} here</h2>
      <label>
        <input
          type="checkbox"
          checked={isFocusing}
          onChange={() => update({ status: isFocusing ? null : 'focusing' }).catch(() => {})}
        />{' '}
        I am focusing
      </label>
      <ul>
        {members?.map(({ userId, userName, state, status }) => (
          <li key={userId}>
            <bdi>{userName}</bdi> {state === 'present' ? status : state}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Chat() {
  const { messages, send } = useChat();
  const [text, setText] = useState('');
  const [refusal, setRefusal] = useState('');
  const submit = (event) => {
    event.preventDefault();
    send(text).then(
      () => setText(''),
      (error) => setRefusal(error.message),
    );
  };
  return (
    <section>
      <ol>
        {messages.map(({ number, userName, text }) => (
          <li key={number}>
            <bdi>{userName}</bdi> <bdi>{text}</bdi>
          </li>
        ))}
      </ol>
      <form onSubmit={submit}>
        <input aria-label="Message" maxLength={2000} required value={text} onChange={(e) => setText(e.target.value)} />{' '}
        <button type="submit">Send</button> {refusal}
      </form>
    </section>
  );
}

createRoot(document.getElementById('room')).render(
  <StrictMode>
    <RoomProvider room={room}>
      <h1>A study room</h1>
      <Connection />
      <Timer />
      <Members />
      <Chat />
    </RoomProvider>
  </StrictMode>,
);
