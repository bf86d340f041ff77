// Editors in processes of their own.

import { Bundle } from './bundle.mjs';
import { Child } from './child.mjs';
import { tokenFor } from './tokens.mjs';
import { until, within } from './wait.mjs';

/** Starts editors and stops them. */
export class Editors {
  all = [];

  static async start() {
    const editors = new Editors();
    editors.bundle = await Bundle.of('editor-process.mjs', 'node');
    return editors;
  }

  /** An editor that has opened the document of this snippet. */
  async open(user, { bridge, transport, room, number }) {
    const options = { url: bridge.url, token: await tokenFor(user), transport, room, number };
    const editor = new Editor(user, this.bundle.file, options);
    this.all.push(editor);
    await until(async () => (await editor.call('state')).synced, `${user} has opened the document`);
    return editor;
  }

  async stop() {
    for (const { child } of this.all) await child.kill();
    await this.bundle.stop();
  }
}

class Editor {
  #waiting = new Map();
  #lastId = 0;

  constructor(user, program, options) {
    this.user = user;
    this.child = new Child(process.execPath, [program, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.process.on('message', ({ id, result }) => {
      this.#waiting.get(id)(result);
      this.#waiting.delete(id);
    });
  }

  /** Calls one of the functions of the process. */
  call(name, ...args) {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.child.process.send({ id, name, args });
    return within(answer, () => `${this.user}: ${name}; so far: ${this.child.lines.join('\n')}`);
  }
}

/** Waits until all these editors have the same text, and all of it is acknowledged. Returns the text. */
export async function converge(editors, fits = () => true) {
  let seen;
  await until(
    async () => {
      const states = await Promise.all(editors.map((editor) => editor.call('state')));
      seen = await Promise.all(editors.map((editor) => editor.call('text')));
      const areDone = states.every(({ synced, saved }) => synced && saved);
      return areDone && seen.every((text) => text === seen[0]) && fits(seen[0]);
    },
    () => `all editors have the same text; so far: ${JSON.stringify(seen)}`,
  );
  return seen[0];
}
