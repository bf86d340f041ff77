// The looks of the editor. The colors are those of the page: custom properties reach into a shadow root.

import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

import { COLORS } from './cursors.js';

const cursorColors = Object.fromEntries(
  Array.from({ length: COLORS }, (_, color) => [`.color-${color}`, { '--cursor': `var(--cursor-${color})` }]),
);

const theme = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'transparent', fontSize: '0.875rem', height: '100%' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '0.75rem 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--quiet)', border: 'none', paddingLeft: '0.5rem' },
  '.cm-activeLine': { backgroundColor: 'var(--line-soft)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--selection)' },
  ...cursorColors,
  '.selected': { backgroundColor: 'color-mix(in srgb, var(--cursor) 22%, transparent)' },
  '.caret': { position: 'relative', borderLeft: '2px solid var(--cursor)', marginLeft: '-1px', marginRight: '-1px' },
  '.caret bdi': {
    position: 'absolute',
    bottom: '100%',
    left: '-2px',
    padding: '0 0.35em',
    borderRadius: '0.3em 0.3em 0.3em 0',
    font: '600 0.6875rem/1.5 var(--sans)',
    whiteSpace: 'nowrap',
    color: 'var(--paper)',
    backgroundColor: 'var(--cursor)',
    pointerEvents: 'none',
    // A name would hide the line above it for as long as its user does nothing.
    animation: 'fade-name 400ms 3s forwards',
  },
  '@keyframes fade-name': { to: { opacity: '0' } },
  '.cm-line:first-child .caret bdi': { bottom: 'auto', top: '100%', borderRadius: '0 0.3em 0.3em 0.3em', zIndex: '1' },
});

const highlighting = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: 'var(--code-function)' },
  { tag: [tags.typeName, tags.className], color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--quiet)', fontStyle: 'italic' },
]);

export const looks: Extension = [theme, syntaxHighlighting(highlighting)];
