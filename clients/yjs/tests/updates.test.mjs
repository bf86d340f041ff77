import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as Y from 'yjs';

import { missingFrom, split } from '../dist/updates.js';
import { randomFrom } from './random.mjs';

const CHARACTERS = ['a', '😀', 'é', '정', '\n', 'xyz😀'];
const LIMIT = 400;

const textOf = (doc) => doc.getText('text').toString();

/** Two editors of one document that type and delete at random, and sometimes see the changes of each other. */
class Editors {
  docs = [1, 2].map((clientID) => Object.assign(new Y.Doc(), { clientID }));

  constructor(seed) {
    this.random = randomFrom(seed);
  }

  below(limit) {
    return Math.floor(this.random() * limit);
  }

  edit(doc, times) {
    const text = doc.getText('text');
    for (let count = 0; count < times; count += 1) {
      const at = this.below(text.length + 1);
      if (this.random() < 0.3) text.delete(at, Math.min(5, text.length - at));
      else text.insert(at, this.#word());
    }
  }

  sync() {
    const [one, two] = this.docs;
    Y.applyUpdate(one, Y.encodeStateAsUpdate(two));
    Y.applyUpdate(two, Y.encodeStateAsUpdate(one));
  }

  #word() {
    return Array.from({ length: 1 + this.below(30) }, () => CHARACTERS[this.below(CHARACTERS.length)]).join('');
  }
}

test('an update that is split gives the same document, without an empty or too large part', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const editors = new Editors(seed);
    const [doc, other] = editors.docs;
    editors.edit(doc, 5);
    editors.sync();
    const server = new Y.Doc();
    Y.applyUpdate(server, Y.encodeStateAsUpdate(doc));
    for (let round = 0; round < 2; round += 1) {
      editors.edit(doc, 10);
      editors.edit(other, 5);
      editors.sync();
    }
    for (const part of split(missingFrom(Y.encodeStateAsUpdate(server), doc), doc, LIMIT)) {
      assert.ok(part.length > 2 && part.length <= LIMIT, `schedule ${seed}: ${part.length} bytes`);
      Y.applyUpdate(server, part);
    }
    assert.equal(textOf(server), textOf(doc), `schedule ${seed}`);
    assert.equal(missingFrom(Y.encodeStateAsUpdate(server), doc), undefined, `schedule ${seed}`);
  }
});

test('a server that has the whole document lacks nothing, even if the document has deletions', () => {
  const editors = new Editors(1);
  const [doc] = editors.docs;
  editors.edit(doc, 50);
  assert.equal(missingFrom(Y.encodeStateAsUpdate(doc), doc), undefined);
  const state = Y.encodeStateAsUpdate(doc);
  doc.getText('text').delete(0, 1);
  const server = new Y.Doc();
  Y.applyUpdate(server, state);
  const missing = missingFrom(state, doc);
  assert.ok(missing.length < 20, 'only the new deletion');
  Y.applyUpdate(server, missing);
  assert.equal(textOf(server), textOf(doc));
});
