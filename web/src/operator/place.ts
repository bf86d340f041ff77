// Which part of the page is shown. It stands in the fragment of the address, so that the browser's way back works, and a
// room can be kept as a bookmark.

import { useEffect, useState } from 'preact/hooks';

export type Place = { part: 'rooms' } | { part: 'health' } | { part: 'room'; id: string };

function readPlace(): Place {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const id = fragment.get('room');
  if (id) return { part: 'room', id };
  return { part: fragment.has('health') ? 'health' : 'rooms' };
}

export function linkTo(place: Place): string {
  if (place.part === 'rooms') return '#';
  return place.part === 'health' ? '#health' : `#${new URLSearchParams({ room: place.id })}`;
}

export function usePlace(): Place {
  const [place, setPlace] = useState(readPlace);
  useEffect(() => {
    const update = () => setPlace(readPlace());
    addEventListener('hashchange', update);
    return () => removeEventListener('hashchange', update);
  }, []);
  return place;
}
