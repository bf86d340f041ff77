// Which screen is shown.

import { useConnection, useRoomSelector } from '@rollcall/react';

import { RoomPage } from './room/page.js';
import { Closed, Connecting } from './screens.js';

export function App() {
  const { state, reason } = useConnection();
  const hasEntered = useRoomSelector(({ session }) => session !== null);
  if (state === 'closed' && reason) return <Closed reason={reason} />;
  if (!hasEntered) return <Connecting />;
  return <RoomPage />;
}
