// Which screen is shown.

import { useCallback, useEffect, useState } from 'preact/hooks';

import { AskProvider } from './ask.js';
import { forgetToken, keepToken, readToken } from './entrance.js';
import { Header } from './header.js';
import { HealthView } from './health/view.js';
import { useHealth } from './health/watch.js';
import { useLanguage } from './language.js';
import { usePlace } from './place.js';
import { RoomView } from './room/view.js';
import { RoomList } from './rooms/list.js';
import { useRooms } from './rooms/rooms.js';
import { isRefusal, type Service, ServiceProvider, signIn } from './service.js';
import { SignIn } from './sign-in.js';

export function App() {
  const [service, setService] = useState<Service | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);

  const leave = useCallback((problem: unknown) => {
    forgetToken();
    setService(null);
    setProblem(problem);
  }, []);

  const enter = useCallback(
    async (token: string) => {
      setBusy(true);
      setProblem(null);
      try {
        setService(await signIn(token, () => leave({ code: 'UNAUTHORIZED' })));
        keepToken(token);
      } catch (error) {
        if (isRefusal(error) || error instanceof TypeError) leave({ code: 'UNAUTHORIZED' });
        else setProblem(error);
      }
      setBusy(false);
    },
    [leave],
  );

  useEffect(() => {
    const enterByLink = () => {
      const token = readToken();
      if (token) void enter(token);
    };
    enterByLink();
    // Another link in the same tab.
    const onLink = () => new URLSearchParams(location.hash.slice(1)).has('token') && enterByLink();
    addEventListener('hashchange', onLink);
    return () => removeEventListener('hashchange', onLink);
  }, [enter]);

  if (!service) return <SignIn problem={problem} isBusy={isBusy} onToken={enter} />;
  return (
    <ServiceProvider value={service}>
      <AskProvider>
        <Page onLeave={() => leave(null)} />
      </AskProvider>
    </ServiceProvider>
  );
}

function Page({ onLeave }: { onLeave: () => void }) {
  const place = usePlace();
  const rooms = useRooms();
  const health = useHealth(rooms);
  return (
    <div class="operator" data-part={place.part}>
      <Header place={place} rooms={rooms} health={health} onLeave={onLeave} />
      <main class="parts">
        <RoomList rooms={rooms} openId={place.part === 'room' ? place.id : null} />
        {place.part === 'room' && <RoomView key={place.id} id={place.id} rooms={rooms} />}
        {place.part === 'health' && <HealthView health={health} />}
        {place.part === 'rooms' && <Nothing />}
      </main>
    </div>
  );
}

function Nothing() {
  const { texts } = useLanguage();
  return (
    <section class="detail nothing">
      <p class="empty">{texts.rooms.choose}</p>
    </section>
  );
}
