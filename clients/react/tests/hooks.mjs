// Tests of the hooks, for any React.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import {
  RoomProvider,
  useChat,
  useCode,
  useConnection,
  useMembers,
  useRoomEvent,
  useRoomSelector,
  useSelf,
  useSession,
  useTimer,
} from '@rollcall/react';
import { createElement, Fragment, StrictMode, useState } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';

import { member, message, runningFrom, Server, START } from './room.mjs';

/** Until React and the client have nothing left to do at the moment. */
async function settled() {
  for (let round = 0; round < 20; round += 1) await setImmediate();
}

/** Components that note each of their renders and what they rendered. */
function probes(hooks) {
  const renders = Object.fromEntries(Object.keys(hooks).map((name) => [name, []]));
  const components = Object.entries(hooks).map(([name, use]) => () => {
    renders[name].push(use());
    return null;
  });
  return { renders, tree: components.map((component, key) => createElement(component, { key })) };
}

function Page() {
  const { members } = useMembers();
  const { view } = useTimer();
  const { remainingMs } = useSession();
  return createElement(
    'p',
    null,
    members?.length ?? 'nobody',
    ' ',
    String(view?.state ?? null),
    ' ',
    String(remainingMs),
  );
}

const latest = (list) => list.at(-1);

export function testHooks(name) {
  describe(name, () => {
    const roots = [];
    const show = (element) => {
      const root = createRoot(document.createElement('div'));
      roots.push(root);
      root.render(element);
      return root;
    };
    const inRoom = (server, ...children) => createElement(RoomProvider, { room: server.room }, ...children);

    async function joined(hooks) {
      const server = new Server();
      const { renders, tree } = probes(hooks);
      const root = show(inRoom(server, ...tree));
      await settled();
      const counts = () => Object.fromEntries(Object.entries(renders).map(([key, list]) => [key, list.length]));
      /** Which components have rendered because of this, and how often. */
      const during = async (act) => {
        const before = counts();
        act();
        await settled();
        return Object.fromEntries(
          Object.entries(counts()).flatMap(([key, count]) => (count > before[key] ? [[key, count - before[key]]] : [])),
        );
      };
      return { server, renders, root, during };
    }

    beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START }));
    afterEach(async () => {
      for (const root of roots.splice(0)) root.unmount();
      await settled();
      mock.timers.reset();
    });

    const ALL = {
      members: useMembers,
      self: useSelf,
      timer: useTimer,
      chat: useChat,
      code: useCode,
      session: () => useSession(60_000),
      connection: useConnection,
    };

    test('each hook renders when its part changes, and only then', async () => {
      const { server, during, renders } = await joined(ALL);
      assert.equal(latest(renders.connection).state, 'connected');
      assert.deepEqual(await during(() => server.emit('chat:message', { message: message(2, 'Hello') })), { chat: 1 });
      assert.deepEqual(
        latest(renders.chat).messages.map(({ text }) => text),
        ['Hello'],
      );
      assert.deepEqual(
        await during(() =>
          server.emit('room:memberUpdated', { userId: 'ali', userName: 'ali', status: 'focusing', goal: 'Sets' }),
        ),
        { members: 1 },
      );
      assert.equal(latest(renders.members).members[1].goal, 'Sets');
      assert.deepEqual(
        await during(() => server.emit('room:memberUpdated', { userId: 'kim', userName: 'kim', status: 'away' })),
        { members: 1, self: 1 },
      );
      assert.equal(latest(renders.self).self.status, 'away');
      const moved = { groupId: 'algebra', endAt: START + 7_200_000, remainMs: 7_200_000 };
      assert.deepEqual(await during(() => server.emit('room:rescheduled', moved)), { session: 1 });
      assert.equal(latest(renders.session).remainingMs, 7_200_000);
      assert.deepEqual(await during(() => server.cut()), { connection: 1 });
      assert.equal(latest(renders.connection).state, 'reconnecting');
    });

    test('the timer renders once a second while it runs, and no more once it is over', async () => {
      const { server, renders, during } = await joined({ timer: useTimer, members: useMembers });
      assert.equal(latest(renders.timer).view.remainingMs, 60_000);
      assert.deepEqual(await during(() => mock.timers.tick(5000)), {});
      await latest(renders.timer).start();
      await settled();
      for (let second = 1; second <= 60; second += 1) {
        assert.deepEqual(await during(() => mock.timers.tick(1000)), { timer: 1 }, `second ${second}`);
        assert.equal(latest(renders.timer).view.remainingMs, 60_000 - second * 1000);
      }
      assert.equal(latest(renders.timer).view.state, 'finished');
      assert.deepEqual(await during(() => mock.timers.tick(10_000)), {});
      const started = await during(() => server.emit('timer:changed', { timer: runningFrom(Date.now()) }));
      assert.deepEqual(started, { timer: 1 });
    });

    test('the remaining time of the session changes by whole steps', async () => {
      const { renders, during } = await joined({ session: () => useSession(60_000) });
      assert.equal(latest(renders.session).remainingMs, 3_600_000);
      // The hour has begun to run, and is rounded up.
      assert.deepEqual(await during(() => mock.timers.tick(30_000)), {});
      assert.deepEqual(await during(() => mock.timers.tick(30_000)), { session: 1 });
      assert.equal(latest(renders.session).remainingMs, 3_540_000);
    });

    test('commands stay the same functions, and reach the server', async () => {
      const { server, renders, during } = await joined({ self: useSelf, chat: useChat, timer: useTimer });
      const before = { ...renders };
      const [self, chat] = [latest(before.self), latest(before.chat)];
      await during(() => void self.update({ goal: 'Sets' }));
      await during(() => void chat.send('Hello'));
      await during(() => server.emit('chat:message', { message: message(2, 'Hi') }));
      assert.equal(latest(renders.chat).send, chat.send);
      assert.deepEqual(server.requests.slice(-2), ['member:update', 'chat:send']);
    });

    test('a selector that makes a new object each time renders only when what it holds changes', async () => {
      const { server, renders, during } = await joined({
        names: () => useRoomSelector(({ members }) => members?.map(({ userId }) => userId) ?? []),
        inline: () => useRoomSelector(({ count }) => ({ isAlone: count < 2 })),
        custom: () =>
          useRoomSelector(
            ({ chat }) => ({ ...chat }),
            (a, b) => a.messages.length >> 1 === b.messages.length >> 1,
          ),
      });
      assert.deepEqual(latest(renders.names), ['kim', 'ali']);
      const updated = { userId: 'ali', userName: 'ali', status: 'away' };
      assert.deepEqual(await during(() => server.emit('room:memberUpdated', updated)), {});
      assert.deepEqual(await during(() => server.emit('chat:message', { message: message(3, 'a') })), {});
      assert.deepEqual(await during(() => server.emit('chat:message', { message: message(4, 'b') })), { custom: 1 });
      const change = { type: 'entered', users: [{ userId: 'lea', userName: 'lea' }] };
      const members = [member('kim'), member('ali'), member('lea')];
      const entered = await during(() => server.emit('room:participantsChanged', { change, count: 3, members }));
      assert.deepEqual(entered, { names: 1 });
    });

    test('a selector that depends on a prop follows the prop at once', async () => {
      const server = new Server();
      const { renders, tree } = probes({
        name: () => {
          const [index, setIndex] = useState(0);
          return { name: useRoomSelector(({ members }) => members?.[index]?.userId), setIndex };
        },
      });
      show(inRoom(server, ...tree));
      await settled();
      assert.equal(latest(renders.name).name, 'kim');
      latest(renders.name).setIndex(1);
      await settled();
      assert.equal(latest(renders.name).name, 'ali');
    });

    test('the latest listener hears each event once', async () => {
      const server = new Server();
      const heard = [];
      const { renders, tree } = probes({
        rename: () => {
          const [name, setName] = useState('first');
          useRoomEvent('room:notice', ({ text }) => heard.push(`${name}: ${text}`));
          return setName;
        },
      });
      show(createElement(StrictMode, null, inRoom(server, ...tree)));
      await settled();
      server.emit('room:notice', { groupId: 'algebra', text: 'a' });
      latest(renders.rename)('second');
      await settled();
      server.emit('room:notice', { groupId: 'algebra', text: 'b' });
      assert.deepEqual(heard, ['first: a', 'second: b']);
    });

    test('StrictMode joins once and does not leave, and an unmount leaves', async () => {
      const server = new Server();
      const { tree, renders } = probes({ connection: useConnection });
      const root = show(createElement(StrictMode, null, inRoom(server, ...tree)));
      await settled();
      assert.equal(latest(renders.connection).state, 'connected');
      assert.deepEqual([server.connections, count(server, 'room:join'), count(server, 'room:leave')], [1, 1, 0]);
      root.unmount();
      await settled();
      assert.deepEqual([server.connections, count(server, 'room:join'), count(server, 'room:leave')], [1, 1, 1]);
    });

    test('a provider that moves in the tree stays in the room, and so do two providers of which one goes', async () => {
      const server = new Server();
      const root = show(createElement(Fragment, null, createElement('p', null, inRoom(server))));
      await settled();
      root.render(createElement(Fragment, null, createElement('div', null, inRoom(server), inRoom(server))));
      await settled();
      root.render(createElement(Fragment, null, createElement('div', null, inRoom(server))));
      await settled();
      assert.deepEqual([server.connections, count(server, 'room:leave')], [1, 0]);
    });

    test('another room takes the place of the first one', async () => {
      const [first, second] = [new Server(), new Server()];
      const { tree, renders } = probes({ members: useMembers, timer: useTimer });
      const root = show(inRoom(first, ...tree));
      await settled();
      root.render(inRoom(second, ...tree));
      await settled();
      assert.deepEqual([count(first, 'room:leave'), count(second, 'room:join')], [1, 1]);
      const before = renders.members.length;
      first.emit('room:participantsChanged', { change: { type: 'left', users: [] }, count: 0, members: [] });
      await settled();
      assert.equal(renders.members.length, before);
    });

    test('a server renders the room before the join, and a page takes that over without a mismatch', async () => {
      const server = new Server();
      const html = renderToString(inRoom(server, createElement(Page)));
      assert.match(html.replaceAll('<!-- -->', ''), /<p>nobody null null<\/p>/);
      assert.equal(server.connections, 0);
      // The page is already in the room when it takes over what the server has rendered.
      await server.room.join();
      const container = document.createElement('div');
      container.innerHTML = html;
      const mismatches = [];
      const { error } = console;
      console.error = (...args) => mismatches.push(args.join(' '));
      const root = hydrateRoot(container, inRoom(server, createElement(Page)), {
        onRecoverableError: (problem) => mismatches.push(String(problem)),
      });
      roots.push(root);
      await settled();
      console.error = error;
      assert.deepEqual(mismatches, []);
      assert.equal(container.textContent, '2 idle 3600000');
    });

    test('a hook without a provider says what is missing', () => {
      assert.throws(() => renderToString(createElement(Page)), /RoomProvider/);
    });
  });
}

const count = (server, event) => server.requests.filter((name) => name === event).length;
