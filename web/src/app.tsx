// Which screen is shown.

import { useConnection, useRoomSelector } from '@rollcall/react';

import { RoomPage } from './room/page.js';
import { Closed, Connecting } from './screens.js';

export function App() {
  const { state, reason } = useConnection();
  const hasEntered = useRoomSelector(({ session }) => session !== null);
  if (state === 'closed' && reason) return <Closed reason={reason} />;
  // A room that was closed is old until the server says how it is.
  if (!hasEntered || state === 'connecting') return <Connecting />;
  return <RoomPage />;
}
