// Random schedules: whatever is lost, late, missed, merged or refused, the snapshot becomes what the server has.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { serverNow } from '../dist/index.js';
import { Clock } from './clock.mjs';
import { Page, TabStorage } from './page.mjs';
import { randomFrom } from './random.mjs';
import { roomOf, roomOn, tokenOf } from './room.mjs';

const SCHEDULES = Number(process.env.SCHEDULES ?? 500);
const FIRST = Number(process.env.FIRST ?? 1);
const STEPS = 40;
const OTHERS = ['ali', 'lea', 7, 'max', 'noa'];
const REFUSALS = ['UNAVAILABLE', 'RATE_LIMITED', 'OVERLOADED', 'NOT_IN_ROOM', 'CONFLICT'];
const HOUR = 3_600_000;

class World {
  isFaulty = true;
  /** What became of each message and snippet of the user: text, and whether it succeeded. */
  commands = [];
  page = new Page();
  storage = new TabStorage();
  #texts = 0;

  constructor(seed) {
    this.random = randomFrom(seed);
    // The client's jitter.
    Math.random = randomFrom(-seed);
    this.clock = new Clock(this.below(2 * HOUR) - HOUR);
    this.clock.install();
    this.page.install();
    const network = {
      delay: () => (this.fails(0.1) ? this.below(2000) : this.below(40)),
      hold: () => this.below(3) * this.below(400),
      misses: () => this.fails(0.05),
      isCut: () => this.fails(0.03),
      refuse: (event) => (this.fails(0.1) && event !== 'room:leave' ? this.pick(REFUSALS) : undefined),
    };
    this.options = {
      bridge: () => this.below(2),
      opens: () => !this.fails(0.2),
      token: () => this.token(),
      storage: () => this.storage,
    };
    Object.assign(this, roomOf('kim', this.clock, { ...this.options, network }));
    if (this.random() < 0.2) this.server.rosterLimit = 3;
    for (const user of OTHERS.slice(0, this.below(3))) this.server.enter(user);
    this.start();
  }

  start() {
    this.checkSharing();
    this.room.join().catch(() => {});
  }

  token() {
    if (this.fails(0.05)) throw new Error('no token at the moment');
    return tokenOf('kim');
  }

  below(limit) {
    return Math.floor(this.random() * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  fails(probability) {
    return this.isFaulty && this.random() < probability;
  }

  /** What is equal is the same object. */
  checkSharing() {
    const { room } = this;
    let before = room.getSnapshot();
    room.subscribe(() => {
      const now = room.getSnapshot();
      assert.notEqual(now, before);
      for (const key of Object.keys(now)) {
        if (now[key] !== before[key])
          assert.notDeepEqual(now[key], before[key], `${key} is a new object without a change`);
      }
      before = now;
    });
  }

  act() {
    const { server } = this;
    const { members, messages, snippets } = server;
    const other = this.pick(members.filter(({ userId }) => userId !== 'kim'))?.userId;
    const absent = this.pick(OTHERS.filter((user) => !server.member(user)));
    const acts = [
      () => absent && server.enter(absent),
      () => absent && server.enter(absent),
      () => other && server.gone(this.pick(['left', 'removed', 'graceExpired']), other),
      () => other && server.drop(other),
      () => other && server.comeBack(other),
      () =>
        other &&
        server.update(other, { status: this.pick(['focusing', 'break', null]), goal: this.pick(['read', null]) }),
      () =>
        members.length > 0 &&
        server.rename(this.pick(members).userId, `Name ${this.below(9)}`, this.pick(['tutor', undefined])),
      () => server.lead(this.pick([...OTHERS, undefined])),
      () => server.reschedule(this.clock.now + HOUR + this.below(HOUR)),
      () =>
        server.setTimer({
          plan: { mode: 'stopwatch' },
          state: 'running',
          phase: 'stopwatch',
          startedAt: this.clock.now,
        }),
      () => server.write(this.pick(OTHERS), this.text()),
      () => server.write(this.pick(OTHERS), this.text()),
      () => messages.length > 0 && server.erase(this.pick(messages).number),
      () => server.slow(this.pick([0, 1000])),
      () => server.mute(this.pick(['kim', 'lea']), this.pick([this.clock.now + HOUR, undefined, undefined])),
      () => server.share(this.pick(OTHERS), this.text()),
      () => snippets.length > 0 && server.edit(this.pick(OTHERS), this.pick(snippets).number, this.text()),
      () => snippets.length > 0 && server.unshare(this.pick(snippets).number),
      () => this.command('message', (text) => this.room.chat.send(text)),
      () => this.command('message', (text) => this.room.chat.send(text)),
      () => this.command('snippet', (text) => this.room.code.share({ text })),
      () => this.attempt(this.room.updateMember({ status: this.pick(['focusing', 'away', null]) })),
      () => this.attempt(this.room.timer.set({ mode: 'countdown', durationMs: 1000 + this.below(9) })),
      () => snippets.length > 0 && this.attempt(this.room.code.get(this.pick(snippets).number)),
      () => snippets.length > 0 && this.attempt(this.room.code.update({ ...this.pick(snippets), text: this.text() })),
      () => this.attempt(this.room.chat.older(3)),
      () => this.connections.at(-1)?.cut(this.below(2) * this.below(8000)),
      () => this.connections.at(-1)?.cut(this.below(2) * this.below(8000)),
      () => this.connections.at(-1)?.events.event('server:draining', { delayMs: this.below(4000) }),
      () => this.restartSession(),
      () => this.repeatEvents(),
      () => this.reload(),
    ];
    this.pick(acts)();
  }

  /** The page is loaded again. The bridge may learn late that the old connection is gone. */
  reload() {
    this.page.hide();
    this.room.close();
    Object.assign(this, roomOn(this.server, 'kim', this.options));
    this.start();
  }

  text() {
    this.#texts += 1;
    return `t${this.#texts}${this.pick(['', ', and more than an event has space for'])}`;
  }

  command(kind, act) {
    const command = { kind, text: this.text(), epoch: this.server.epoch, outcome: 'open' };
    this.commands.push(command);
    act(command.text).then(
      () => {
        command.outcome = 'done';
      },
      ({ isUncertain }) => {
        command.outcome = isUncertain ? 'uncertain' : 'refused';
      },
    );
  }

  attempt(promise) {
    promise.catch(() => {});
  }

  /** The session ends while the user is away, and another one begins. */
  restartSession() {
    if (this.random() < 0.6) return;
    for (const bridge of this.server.bridges) for (const connection of [...bridge.connections]) connection.vanish();
    this.server.isOver = true;
    this.server.begin();
    for (const user of OTHERS.slice(this.below(OTHERS.length))) this.server.enter(user);
  }

  /** Events that the client knows come again. */
  repeatEvents() {
    const connection = this.connections.at(-1);
    if (!connection?.isInRoom) return;
    for (const [event, payload] of connection.heard.splice(0)) {
      if (event !== 'room:state') connection.repeat(event, payload);
    }
  }

  async heal() {
    this.isFaulty = false;
    const isQuiet = () => {
      const { connection, chat, code } = this.room.getSnapshot();
      const areSettled = this.commands.every(({ outcome }) => outcome !== 'open');
      return connection.state === 'connected' && chat.isCurrent && code.isCurrent && areSettled;
    };
    await this.clock.pass(40_000);
    // The next event shows each gap.
    this.server.slow(this.server.slowMs);
    await this.clock.pass(5000);
    await this.clock.passUntil(isQuiet, () => `the room is quiet: ${JSON.stringify(this.room.getSnapshot())}`);
    await this.clock.pass(5000);
  }

  check() {
    const snapshot = this.room.getSnapshot();
    const { server } = this;
    const { chat, code } = snapshot;
    const seen = JSON.parse(JSON.stringify(snapshot));
    const { members, ...state } = server.state;
    assert.deepEqual(
      [
        seen.count,
        seen.hostId,
        seen.leaderId ?? undefined,
        seen.session.endAt,
        seen.session.epoch,
        seen.timer ?? undefined,
      ],
      [state.count, state.hostId, state.leaderId, state.endAt, state.epoch, state.timer],
    );
    if (members) assert.deepEqual(seen.members, members);
    else if (seen.members) assert.deepEqual(idsIn(seen.members), idsIn(server.members));
    assert.deepEqual(stable(seen.self), stable(server.member('kim')));
    if (snapshot.members)
      assert.equal(
        snapshot.members.find(({ userId }) => userId === 'kim'),
        snapshot.self,
      );
    const oldest = chat.messages[0]?.number ?? Number.POSITIVE_INFINITY;
    assert.deepEqual(
      seen.chat.messages,
      server.messages.filter(({ number }) => (chat.hasOlder ? number >= oldest : true)),
    );
    assert.deepEqual([seen.chat.slowMs, seen.chat.mutedUntil], [server.slowMs, server.mutes.get('kim') ?? null]);
    assert.deepEqual(new Map(seen.chat.mutes.map(({ userId, mutedUntil }) => [userId, mutedUntil])), server.mutes);
    assert.deepEqual(
      seen.code.snippets.map(({ text: _, ...snippet }) => snippet),
      server.snippets,
    );
    for (const { number, text } of code.snippets) if (text !== undefined) assert.equal(text, server.texts.get(number));
    this.checkCommands();
    const error = Math.abs(serverNow(snapshot.clock) - this.clock.now);
    assert.ok(error <= snapshot.clock.errorMs, `the clock is ${error} ms wrong, and says ${snapshot.clock.errorMs}`);
  }

  /** Each command of this session took effect once, or not at all. */
  checkCommands() {
    const { server } = this;
    const texts = [...server.messages.map(({ text }) => text), ...server.texts.values()];
    for (const { text, outcome, epoch } of this.commands) {
      const times = texts.filter((other) => other === text).length;
      assert.ok(times <= 1, `${text} is there ${times} times`);
      if (outcome === 'refused' && epoch === server.epoch) assert.equal(times, 0, `${text} was refused and is there`);
    }
    const written = server.messages.filter(
      ({ userId, text }) => userId === 'kim' && this.commands.some((one) => one.text === text),
    );
    const order = written.map(({ text }) => this.commands.findIndex((one) => one.text === text));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      'messages keep their order',
    );
  }
}

const idsIn = (members) => members.map(({ userId }) => userId);
/** The fields that the client knows exactly in rooms without a list, too. */
const stable = ({ userId }) => ({ userId });

async function run(seed) {
  const world = new World(seed);
  try {
    for (let step = 0; step < STEPS; step += 1) {
      world.act();
      if (world.random() < 0.7) await world.clock.pass(world.below(1000));
    }
    await world.heal();
    world.check();
  } finally {
    world.room.close();
    world.page.remove();
    world.clock.remove();
  }
}

test(`the snapshot becomes what the server has, in ${SCHEDULES} random schedules`, async () => {
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
    await run(seed).catch((cause) => {
      throw new Error(`schedule ${seed}`, { cause });
    });
  }
});
