// The cursors of the others. y-codemirror.next draws them with style attributes, which the Content-Security-Policy of this
// page refuses. The awareness states are the same, so its users see these cursors, too.

import { Annotation, type Extension, type Range } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
  WidgetType,
} from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';

/** How many colors `looks` has for cursors. */
export const COLORS = 6;

const redrawn = Annotation.define<null>();

class Caret extends WidgetType {
  constructor(
    readonly name: string,
    readonly color: number,
  ) {
    super();
  }

  override eq(other: Caret): boolean {
    return other.name === this.name && other.color === this.color;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span');
    caret.className = `caret color-${this.color}`;
    caret.setAttribute('aria-hidden', 'true');
    const name = document.createElement('bdi');
    // Users choose their names.
    name.textContent = this.name;
    caret.append(name);
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

class Cursors {
  decorations: DecorationSet = Decoration.none;
  readonly #view: EditorView;
  readonly #text: Y.Text;
  readonly #awareness: Awareness;

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#view = view;
    this.#text = text;
    this.#awareness = awareness;
    awareness.on('change', this.#onChange);
    this.#draw();
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.focusChanged || update.docChanged) this.#tell();
    this.#draw();
  }

  destroy(): void {
    this.#awareness.off('change', this.#onChange);
  }

  readonly #onChange = ({ added, updated, removed }: { added: number[]; updated: number[]; removed: number[] }) => {
    const { clientID } = this.#awareness;
    if (![...added, ...updated, ...removed].some((id) => id !== clientID)) return;
    // Awareness may change while the editor is being updated.
    queueMicrotask(() => this.#view.dispatch({ annotations: redrawn.of(null) }));
  };

  /** Tells the others where the own cursor is. */
  #tell(): void {
    const { hasFocus, state } = this.#view;
    const known = this.#awareness.getLocalState()?.cursor ?? null;
    if (!hasFocus) {
      if (known) this.#awareness.setLocalStateField('cursor', null);
      return;
    }
    const { anchor, head } = state.selection.main;
    const at = (index: number) => JSON.parse(JSON.stringify(Y.createRelativePositionFromTypeIndex(this.#text, index)));
    const cursor = { anchor: at(anchor), head: at(head) };
    if (JSON.stringify(cursor) !== JSON.stringify(known)) this.#awareness.setLocalStateField('cursor', cursor);
  }

  #draw(): void {
    const { doc } = this.#text;
    const ranges: Range<Decoration>[] = [];
    for (const [id, state] of this.#awareness.getStates()) {
      if (id === this.#awareness.clientID || !doc || !state.cursor) continue;
      const index = (position: unknown) => {
        const found = Y.createAbsolutePositionFromRelativePosition(position as Y.RelativePosition, doc);
        return found && found.type === this.#text ? Math.min(found.index, this.#view.state.doc.length) : null;
      };
      const [anchor, head] = [index(state.cursor.anchor), index(state.cursor.head)];
      if (anchor === null || head === null) continue;
      const color = id % COLORS;
      if (anchor !== head) {
        const mark = Decoration.mark({ class: `selected color-${color}` });
        ranges.push(mark.range(Math.min(anchor, head), Math.max(anchor, head)));
      }
      const name = String(state.user?.name ?? '').slice(0, 40);
      ranges.push(Decoration.widget({ widget: new Caret(name, color), side: head < anchor ? -1 : 1 }).range(head));
    }
    this.decorations = Decoration.set(ranges, true);
  }
}

/** Shows the cursors of the others, and tells them of the own one. */
export function cursors(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new Cursors(view, text, awareness), {
    decorations: (plugin) => plugin.decorations,
  });
}
