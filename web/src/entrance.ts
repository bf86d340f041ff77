// The link by which a user enters: `/#room=algebra&token=…`. A fragment never leaves the browser. The page takes the token
// out of the address bar at once, and keeps it for reloads of this tab.

export interface Entrance {
  room: string;
  token: string;
}

const KEY = 'rollcall.entrance';

/** Reads the link, or what an earlier load of this tab has kept of it. */
export function readEntrance(): Entrance | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const [room, token] = [fragment.get('room'), fragment.get('token')];
  if (token !== null) history.replaceState(null, '', location.pathname);
  if (!room || !token) return readKept();
  const entrance = { room, token };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(entrance));
  } catch {
    // The user has blocked the storage: a reload needs the link again.
  }
  return entrance;
}

function readKept(): Entrance | null {
  try {
    const { room, token } = JSON.parse(sessionStorage.getItem(KEY) ?? '');
    return typeof room === 'string' && typeof token === 'string' ? { room, token } : null;
  } catch {
    return null;
  }
}

/** Another link in the same tab starts the page anew. */
export function watchLink(): void {
  addEventListener('hashchange', () => {
    if (!new URLSearchParams(location.hash.slice(1)).has('token')) return;
    readEntrance();
    location.reload();
  });
}

/** Where the bridges are: the server says so, or they have the address of this page. */
export function bridgeUrl(): string {
  const named = document.querySelector<HTMLMetaElement>('meta[name="rollcall-bridge"]')?.content;
  return named || location.origin;
}
