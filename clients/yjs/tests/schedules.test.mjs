// Random schedules: whatever messages are lost, late, doubled or refused, all documents become the same.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { missingFrom } from '../dist/updates.js';
import { pass, passUntil, RollcallProvider, Y } from './clock.mjs';
import { randomFrom } from './random.mjs';
import { Connection, Server } from './server.mjs';

const NUMBER = 3;
const SCHEDULES = Number(process.env.SCHEDULES ?? 300);
const FIRST = Number(process.env.FIRST ?? 1);
const STEPS = 60;
const USERS = ['kim', 'lea', 'kim', 7];
const REFUSALS = ['UNAVAILABLE', 'RATE_LIMITED', 'OVERLOADED', 'MUTED', 'NOT_IN_ROOM'];

class World {
  isFaulty = true;
  /** Whatever was typed. */
  typed = [];

  constructor(seed) {
    this.random = randomFrom(seed);
    this.server = new Server('fn main() {}');
    this.server.refuse = () => this.#fails(0.1) && REFUSALS[this.below(REFUSALS.length)];
    this.editors = USERS.map((user, index) => this.#editor(user, index + 1));
  }

  below(limit) {
    return Math.floor(this.random() * limit);
  }

  #fails(probability) {
    return this.isFaulty && this.random() < probability;
  }

  #editor(user, clientID) {
    const editor = { mayHaveMissed: false };
    const network = {
      delay: () => (this.#fails(0.2) ? this.below(3000) : this.below(30)),
      losesRequest: () => this.#fails(0.05),
      losesAck: () => this.#fails(0.05),
      copies: (event) => {
        if (this.#fails(0.05)) return 2;
        if (event !== 'document:updated' || !this.#fails(0.1)) return 1;
        // The server knows that it may have lost events, and says so afterwards.
        editor.mayHaveMissed = true;
        return 0;
      },
    };
    editor.doc = Object.assign(new Y.Doc(), { clientID });
    editor.text = editor.doc.getText('text');
    editor.connection = new Connection(this.server, user, network);
    editor.provider = new RollcallProvider(editor.connection, NUMBER, editor.doc);
    editor.provider.on('error', ({ code }) => assert.fail(code));
    editor.provider.on('saved', (isSaved) => {
      if (isSaved) assert.equal(missingFrom(Y.encodeStateAsUpdate(this.server.doc), editor.doc), undefined);
    });
    if (this.random() < 0.8) editor.provider.connect();
    return editor;
  }

  /** Something happens to one editor. */
  act() {
    const editor = this.editors[this.below(this.editors.length)];
    const choice = this.random();
    if (choice < 0.6) this.#type(editor);
    else if (choice < 0.8) editor.text.delete(...this.#range(editor.text.length));
    else if (choice < 0.85) editor.provider.awareness.setLocalState({ cursor: this.below(100) });
    else if (choice < 0.9) editor.connection.drop();
    else if (choice < 0.95) this.comeBack(editor);
    else this.tellMissed(editor);
  }

  #type({ doc, text }) {
    const typed = `t${this.typed.length}`;
    this.typed.push(typed);
    doc.transact(() => {
      text.insert(this.below(text.length + 1), typed);
      doc.getMap('typed').set(typed, true);
    });
  }

  #range(length) {
    const from = this.below(length + 1);
    return [from, Math.min(this.below(4), length - from)];
  }

  comeBack({ connection, provider }) {
    if (connection.isConnected && provider.status !== 'disconnected') return;
    connection.rejoin();
    provider.connect();
  }

  tellMissed(editor) {
    if (!editor.mayHaveMissed) return;
    editor.mayHaveMissed = false;
    editor.connection.deliver('document:missed', { number: NUMBER });
  }

  /** Ends all faults, and waits until nothing is left to do. */
  async heal() {
    this.isFaulty = false;
    // Messages of the faulty time arrive first.
    await pass(3000, 100);
    for (const editor of this.editors) {
      this.comeBack(editor);
      this.tellMissed(editor);
    }
    const isIdle = () => {
      for (const editor of this.editors) this.comeBack(editor);
      return this.editors.every(({ provider }) => provider.saved && provider.synced && provider.status === 'connected');
    };
    await passUntil(isIdle, 'all changes are acknowledged', 300_000, 100);
    await pass(1500, 100);
  }

  stop() {
    for (const { provider } of this.editors) provider.destroy();
  }
}

test(`all documents become the same in ${SCHEDULES} random schedules, and nothing is lost`, async () => {
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
    const world = new World(seed);
    mock.method(Math, 'random', world.random);
    try {
      for (let step = 0; step < STEPS; step += 1) {
        world.act();
        await pass(world.below(300), 50);
      }
      await world.heal();
      const expected = [...world.typed].sort();
      for (const { doc, text } of world.editors) {
        assert.equal(text.toString(), world.server.text);
        assert.deepEqual([...doc.getMap('typed').keys()].sort(), expected);
      }
    } catch (error) {
      error.message = `schedule ${seed}: ${error.message}`;
      throw error;
    } finally {
      world.stop();
      mock.restoreAll();
    }
  }
});
