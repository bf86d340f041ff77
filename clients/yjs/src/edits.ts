// Which of a document's numbered updates have arrived.

/** Finds gaps in the numbers of updates. An ack may arrive before the event of an earlier update. */
export class Edits {
  /** All updates up to this one have arrived. Unknown while the document is being opened. */
  #last: number | undefined;
  /** Updates beyond a gap. */
  readonly #ahead = new Set<number>();

  /** Forgets all numbers, because the document is being opened again. */
  begin(): void {
    this.#last = undefined;
    this.#ahead.clear();
  }

  /** The opened document includes all updates up to this one. */
  opened(edit: number): void {
    this.#last = edit;
    for (const number of [...this.#ahead]) if (number <= edit) this.#ahead.delete(number);
    this.#advance();
  }

  add(edit: number): void {
    if (this.has(edit)) return;
    this.#ahead.add(edit);
    this.#advance();
  }

  /** Whether an update of this number has arrived. */
  has(edit: number): boolean {
    return this.#last !== undefined && edit <= this.#last;
  }

  get hasGap(): boolean {
    return this.#last !== undefined && this.#ahead.size > 0;
  }

  #advance(): void {
    if (this.#last === undefined) return;
    while (this.#ahead.delete(this.#last + 1)) this.#last += 1;
  }
}
