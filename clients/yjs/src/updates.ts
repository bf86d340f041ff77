// Yjs updates: what a server lacks, and parts that fit into messages.

import * as Y from 'yjs';

/** The length of an update without content, in bytes. */
const EMPTY = 2;

/** What a server with this state lacks of the document, if anything. */
export function missingFrom(state: Uint8Array, doc: Y.Doc): Uint8Array | undefined {
  const server = new Y.Doc();
  Y.applyUpdate(server, state);
  // An encoded diff always holds all deletions. What changes the copy is what the server lacks.
  const missing: Uint8Array[] = [];
  server.on('update', (update: Uint8Array) => missing.push(update));
  Y.applyUpdate(server, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server)));
  server.destroy();
  return missing.length > 0 ? Y.mergeUpdates(missing) : undefined;
}

type Clocks = Map<number, number>;

/**
 * Splits an update that the document has into updates of at most `limit` bytes. Returns nothing if that is impossible,
 * because a single embedded value is too large.
 */
export function split(update: Uint8Array, doc: Y.Doc, limit: number): Uint8Array[] | undefined {
  const { from, to } = Y.parseUpdateMeta(update);
  // Only a copy that keeps deleted content can go back to a part of its insertions.
  const copy = new Y.Doc({ gc: false });
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  const base: Clocks = new Map([...Y.decodeStateVector(Y.encodeStateVector(copy)), ...from]);
  const insertions = splitInsertions(copy, base, base, to, limit);
  copy.destroy();
  const end = Y.encodeStateVector(new Map([...base, ...to]));
  const deletions = Y.diffUpdate(update, end);
  if (!insertions || deletions.length > limit) return undefined;
  return deletions.length > EMPTY ? [...insertions, deletions] : insertions;
}

/** Splits the insertions between two states, by halves. */
function splitInsertions(copy: Y.Doc, base: Clocks, from: Clocks, to: Clocks, limit: number): Uint8Array[] | undefined {
  const part = insertionsBetween(copy, base, from, to);
  if (part.length <= limit) return [part];
  const middle = middleOf(copy, from, to);
  if (!middle) return undefined;
  const first = splitInsertions(copy, base, from, middle, limit);
  const second = first && splitInsertions(copy, base, middle, to, limit);
  return second && [...first, ...second];
}

function insertionsBetween(copy: Y.Doc, base: Clocks, from: Clocks, to: Clocks): Uint8Array {
  const snapshot = Y.createSnapshot(Y.emptySnapshot.ds, new Map([...base, ...to]));
  const until = Y.createDocFromSnapshot(copy, snapshot);
  const part = Y.encodeStateAsUpdate(until, Y.encodeStateVector(new Map([...base, ...from])));
  until.destroy();
  return part;
}

/** A state after half of the insertions, if they have more than one part: all of some clients, and a part of one. */
function middleOf(copy: Y.Doc, from: Clocks, to: Clocks): Clocks | undefined {
  const start = (client: number) => from.get(client) ?? 0;
  let half = 0;
  for (const [client, end] of to) half += end - start(client);
  half = Math.floor(half / 2);
  const middle: Clocks = new Map();
  for (const [client, end] of to) {
    const taken = Math.min(end - start(client), half);
    half -= taken;
    const clock = start(client) + taken;
    middle.set(client, clock > start(client) && cutsCharacter(copy, client, clock) ? clock - 1 : clock);
  }
  return [...middle].some(([client, clock]) => clock > start(client)) ? middle : undefined;
}

/** Whether a clock lies between the halves of a surrogate pair. Yjs would replace both by U+FFFD. */
function cutsCharacter(copy: Y.Doc, client: number, clock: number): boolean {
  const { content, id } = Y.getItem(copy.store, Y.createID(client, clock - 1));
  if (!(content instanceof Y.ContentString)) return false;
  return /[\ud800-\udbff]/.test(content.str.charAt(clock - 1 - id.clock));
}
