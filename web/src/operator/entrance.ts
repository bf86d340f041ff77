// The operator's token: of the link `/operator#token=…`, or typed into the form. A fragment never leaves the browser. The
// page takes the token out of the address bar at once, and keeps it for reloads of this tab.

const KEY = 'rollcall.operator';

/** Reads the token of the link, or what an earlier load of this tab has kept. */
export function readToken(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  if (token === null) return withStorage((storage) => storage.getItem(KEY));
  fragment.delete('token');
  const rest = fragment.toString();
  history.replaceState(null, '', location.pathname + (rest && `#${rest}`));
  if (token) keepToken(token);
  return token || null;
}

export function keepToken(token: string): void {
  withStorage((storage) => storage.setItem(KEY, token));
}

export function forgetToken(): void {
  withStorage((storage) => storage.removeItem(KEY));
}

/** Without a storage, which a user may have blocked, a reload asks for the token again. */
function withStorage<Result>(act: (storage: Storage) => Result): Result | null {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}
