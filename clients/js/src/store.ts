// A value that changes, for `useSyncExternalStore` and the like.

import { Emitter } from './emitter.js';

export class Store<Value> {
  #value: Value;
  readonly #emitter = new Emitter<{ change: undefined }>();

  constructor(value: Value) {
    this.#value = value;
  }

  /** The value: the same object until something changes. */
  readonly getSnapshot = (): Value => this.#value;

  /** Calls the listener after each change. Returns a function that ends this. */
  readonly subscribe = (listener: () => void): (() => void) => {
    // One function may subscribe twice.
    return this.#emitter.on('change', () => listener());
  };

  set(value: Value): void {
    if (value === this.#value) return;
    this.#value = value;
    this.#emitter.emit('change', undefined);
  }
}
