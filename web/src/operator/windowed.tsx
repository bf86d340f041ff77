// A list of any length, of which only the rows in sight exist.

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows beyond the edges, for the time until the next frame. */
const MARGIN = 6;

interface Props<Item> {
  items: readonly Item[];
  keyOf: (item: Item) => string;
  /** The height of a row, in pixels at the usual size of text. */
  rowHeight: number;
  label: string;
  children: (item: Item) => ComponentChildren;
}

export function WindowedList<Item>({ items, keyOf, rowHeight, label, children }: Props<Item>) {
  const list = useRef<HTMLUListElement>(null);
  const [{ first, last }, setRange] = useState({ first: 0, last: 30 });
  // Users choose the size of text.
  const height = (rowHeight * rootFontSize()) / 16;

  useLayoutEffect(() => {
    const element = list.current as HTMLUListElement;
    const update = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / height) - MARGIN);
      const last = Math.ceil((element.scrollTop + element.clientHeight) / height) + MARGIN;
      setRange((range) => (range.first === first && range.last === last ? range : { first, last }));
    };
    update();
    const observer = new ResizeObserver(update);
    observer.observe(element);
    element.addEventListener('scroll', update, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', update);
    };
  }, [height]);

  // A row that is gone takes the focus with it, and the list gets it instead.
  const hadFocus = list.current?.querySelector(':focus') != null;
  useLayoutEffect(() => {
    if (hadFocus && document.activeElement === document.body) list.current?.focus({ preventScroll: true });
  });

  return (
    <ul
      class="windowed"
      ref={list}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: people who use a keyboard scroll the list.
      tabIndex={0}
      aria-label={label}
      style={{ '--extent': `${items.length * height}px` }}
    >
      {items.slice(first, last).map((item, index) => (
        <li
          key={keyOf(item)}
          class="windowed-row"
          aria-setsize={items.length}
          aria-posinset={first + index + 1}
          style={{ height: `${height}px`, transform: `translateY(${(first + index) * height}px)` }}
        >
          {children(item)}
        </li>
      ))}
    </ul>
  );
}

const rootFontSize = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
