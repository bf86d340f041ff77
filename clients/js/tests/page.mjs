// What a browser gives a page, and no more of it than a reload needs: events of the page, and the storage of a tab.

export class Page {
  #listeners = new Map();

  install() {
    globalThis.addEventListener = (event, listener) => {
      this.#listeners.set(listener, event);
    };
    globalThis.removeEventListener = (_, listener) => {
      this.#listeners.delete(listener);
    };
  }

  remove() {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }

  hide() {
    this.#emit('pagehide');
  }

  show() {
    this.#emit('pageshow');
  }

  #emit(name) {
    for (const [listener, event] of [...this.#listeners]) if (event === name) listener();
  }
}

/** The storage of a tab. */
export class TabStorage {
  items = new Map();
  isBlocked = false;

  getItem(key) {
    this.#check();
    return this.items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#check();
    this.items.set(key, value);
  }

  removeItem(key) {
    this.#check();
    this.items.delete(key);
  }

  #check() {
    if (this.isBlocked) throw new Error('the user has blocked the storage');
  }
}
