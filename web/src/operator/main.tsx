// The operator's page.
//
// | file | what it holds |
// |---|---|
// | `entrance` | the operator's token |
// | `service` | the HTTP API for all parts of the page |
// | `polling` | reads again and again, at a decent pace |
// | `place` | which part is shown, in the address |
// | `rooms/` | the live rooms |
// | `room/` | one room, and what operators do there |
// | `health/` | bridges, app and Redis |
// | `ask` | asks before an action, and says what it did |
// | `windowed` | long lists |
// | `texts/` | English and Korean |
// | `style/` | the looks |

import { render } from 'preact';

import { keepFocus } from '../focus.js';
import { App } from './app.js';
import { LanguageProvider } from './language.js';

const root = document.getElementById('app') as HTMLElement;
keepFocus(root);
render(
  <LanguageProvider>
    <App />
  </LanguageProvider>,
  root,
);
