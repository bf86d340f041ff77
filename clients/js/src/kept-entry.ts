// What a page keeps of its entry while it is reloaded.

import { fieldsOf } from './fields.js';
import type { UserId } from './protocol.js';

/** `sessionStorage`, or what works like it. */
export interface ReloadStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Returns the storage. An error counts as no storage: browsers throw one where a user has blocked it. */
export type StorageSource = () => ReloadStorage;

/**
 * The entry is in the storage only while its page is away. A browser that duplicates a tab copies the storage of a page that
 * is there, so no two tabs have the resume token.
 */
export class KeptEntry {
  readonly #source: StorageSource | undefined;
  readonly #key: string;
  #wasTaken = false;

  constructor(source: StorageSource | undefined, key: string) {
    this.#source = source;
    this.#key = key;
  }

  /** Takes out what an earlier load of the page has kept for this user. Without a token, that load was about to enter. */
  take(userId: UserId | undefined): { resumeToken?: string } | undefined {
    this.#wasTaken = true;
    const text = this.#with((storage) => storage.getItem(this.#key));
    if (!text) return undefined;
    this.forget();
    const { user, resumeToken } = fieldsOf(() => text);
    if (user !== String(userId)) return undefined;
    return typeof resumeToken === 'string' ? { resumeToken } : {};
  }

  keep(userId: UserId | undefined, resumeToken: string | undefined): void {
    // What an earlier load has kept stays, until an attempt to enter has taken it.
    if (!this.#wasTaken) return;
    const text = JSON.stringify({ user: String(userId), resumeToken });
    this.#with((storage) => storage.setItem(this.#key, text));
  }

  forget(): void {
    this.#with((storage) => storage.removeItem(this.#key));
  }

  #with<Result>(act: (storage: ReloadStorage) => Result): Result | undefined {
    try {
      return this.#source && act(this.#source());
    } catch {
      // The user comes back as without a storage: within the grace period, when the old connection is known to be lost.
      return undefined;
    }
  }
}
