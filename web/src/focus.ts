// Where the focus goes when the element that had it is gone.

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex]';

/** The focused element and those around it, the innermost first. */
let path: Element[] = [];

function remember({ target }: FocusEvent): void {
  path = [];
  for (let element = target as Element | null; element; element = element.parentElement) path.push(element);
}

function restore(): void {
  if (document.activeElement !== document.body || !path[0] || path[0].isConnected) return;
  const around = path.filter((element) => element.isConnected);
  path = [];
  for (const element of around) {
    const heir = element.matches('[tabindex]') ? element : element.querySelector(FOCUSABLE);
    if (!(heir instanceof HTMLElement) || heir.getClientRects().length === 0) continue;
    heir.focus({ preventScroll: true });
    return;
  }
}

/**
 * Gives the focus to what is next to an element that is removed while it has the focus, so that nobody who uses a keyboard
 * or a screen reader begins again at the top of the page.
 */
export function keepFocus(root: HTMLElement): void {
  root.addEventListener('focusin', remember);
  new MutationObserver(restore).observe(root, { childList: true, subtree: true });
}
