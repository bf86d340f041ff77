// The study-room page.
//
// | file | what it holds |
// |---|---|
// | `entrance` | the link by which a user enters |
// | `app` | which screen is shown |
// | `focus` | where the focus goes when its element is gone |
// | `mutes` | mutes, which end by themselves |
// | `room/` | the parts of a room |
// | `code/` | shared code, with an editor that is loaded when it is needed |
// | `texts/` | English and Korean |
// | `style/` | the looks |

import { Room, webSocket } from '@rollcall/client';
import { RoomProvider } from '@rollcall/react';
import { render } from 'preact';

import { App } from './app.js';
import { bridgeUrl, readEntrance, watchLink } from './entrance.js';
import { keepFocus } from './focus.js';
import { MissingLink } from './screens.js';
import { LanguageProvider } from './texts/language.js';

const root = document.getElementById('app') as HTMLElement;
const entrance = readEntrance();
watchLink();
keepFocus(root);

if (entrance) {
  const { room: groupId, token } = entrance;
  const room = new Room({
    transport: webSocket({ url: bridgeUrl() }),
    groupId,
    // A reload keeps the seat.
    storage: () => sessionStorage,
    token: (reason) => {
      // A link holds one token. The server says when it is over.
      if (reason === 'expiring') throw new Error('There is no other token.');
      return token;
    },
  });
  render(
    <LanguageProvider>
      <RoomProvider room={room}>
        <App />
      </RoomProvider>
    </LanguageProvider>,
    root,
  );
} else {
  render(
    <LanguageProvider>
      <MissingLink />
    </LanguageProvider>,
    root,
  );
}
