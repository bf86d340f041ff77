// Local changes that the server has not acknowledged.

import * as Y from 'yjs';

import { split } from './updates.js';

/** The longest update in a message, in bytes. */
const LIMIT = 67_584;

/** Updates in their order. */
export class Outbox {
  #updates: Uint8Array[] = [];

  get isEmpty(): boolean {
    return this.#updates.length === 0;
  }

  add(update: Uint8Array): void {
    this.#updates.push(update);
  }

  /** Replaces all updates. */
  reset(update?: Uint8Array): void {
    this.#updates = update ? [update] : [];
  }

  /** Puts an update back that was not acknowledged. */
  putBack(update: Uint8Array): void {
    this.#updates.unshift(update);
  }

  /** Takes as many updates as fit into a message, as one. Returns nothing if a part of the document never fits. */
  take(doc: Y.Doc): Uint8Array | undefined {
    for (let count = this.#updates.length; count > 0; count = Math.floor(count / 2)) {
      const merged = Y.mergeUpdates(this.#updates.slice(0, count));
      if (merged.length > LIMIT) continue;
      this.#updates.splice(0, count);
      return merged;
    }
    const [first, ...rest] = this.#updates;
    const parts = first && split(first, doc, LIMIT);
    if (!parts) return undefined;
    this.#updates = [...parts.slice(1), ...rest];
    return parts[0];
  }
}
