// The code that the members share.

import type { Snippet } from './protocol.js';
import { share, shareList } from './share.js';

/** A snippet, with its text if it is known: read a longer one with `room.code.get`. */
export type SharedSnippet = Snippet & { readonly text?: string };

/** The code of a room. */
export interface Code {
  /** The oldest first. */
  readonly snippets: readonly SharedSnippet[];
  /** Whether the list is up to date: not before the first list, and not after missed events. */
  readonly isCurrent: boolean;
}

export const EMPTY_CODE: Code = { snippets: [], isCurrent: false };

export class SnippetShelf {
  code = EMPTY_CODE;
  /** Nothing brings these back. */
  #closed = new Set<number>();
  /** The snippets of which events have told since the list was last asked for. */
  #since = new Set<number>();
  /** Whether events may have been missed since then. */
  #hasMissed = false;

  /** Forgets everything. */
  reset(): void {
    this.#closed = new Set();
    this.#since = new Set();
    this.code = share(this.code, EMPTY_CODE);
  }

  /** Events may have been missed. */
  missed(): void {
    this.#hasMissed = true;
    if (this.code.isCurrent) this.code = { ...this.code, isCurrent: false };
  }

  /** The list is asked for. */
  asked(): void {
    this.#hasMissed = false;
    this.#since = new Set();
  }

  /** The list has come. It may be older than events that came before it. */
  listed(list: readonly Snippet[]): void {
    const known = this.code.snippets;
    const next = new Map<number, SharedSnippet>();
    for (const snippet of list) next.set(snippet.number, newer(find(known, snippet.number), snippet, false));
    for (const snippet of known) {
      if (this.#since.has(snippet.number)) next.set(snippet.number, newer(next.get(snippet.number), snippet, true));
    }
    for (const number of this.#closed) next.delete(number);
    this.#set([...next.values()], !this.#hasMissed);
  }

  /** A snippet is shared or changed, or a request has read it. */
  put(snippet: Snippet, text?: string): void {
    const { number } = snippet;
    this.#since.add(number);
    if (this.#closed.has(number)) return;
    const { snippets, isCurrent } = this.code;
    const known = find(snippets, number);
    const next = newer(
      known,
      text === undefined || snippet.editors === 'together' ? snippet : { ...snippet, text },
      true,
    );
    this.#set([...snippets.filter((other) => other !== known), next], isCurrent);
  }

  closed(number: number): void {
    this.#closed.add(number);
    const { snippets, isCurrent } = this.code;
    this.#set(
      snippets.filter((snippet) => snippet.number !== number),
      isCurrent,
    );
  }

  #set(list: SharedSnippet[], isCurrent: boolean): void {
    const ordered = list.sort((a, b) => a.number - b.number);
    const snippets = shareList(this.code.snippets, ordered, ({ number }) => number);
    if (snippets !== this.code.snippets || isCurrent !== this.code.isCurrent) this.code = { snippets, isCurrent };
  }
}

const find = (snippets: readonly SharedSnippet[], number: number) =>
  snippets.find((snippet) => snippet.number === number);

/** The newer of two versions, with the text of the same version. `keepsLater`: whether a later known version stays. */
function newer(known: SharedSnippet | undefined, snippet: SharedSnippet, keepsLater: boolean): SharedSnippet {
  if (!known) return snippet;
  if (known.version > snippet.version) return keepsLater ? known : snippet;
  if (known.version < snippet.version || known.text === undefined) return snippet;
  return share(known, { text: known.text, ...snippet });
}
