// Processes that never outlive the test file that started them.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { PROCESS_LIMIT_MS, within } from './wait.mjs';

const running = new Set();

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** A child process and the lines that it has printed. */
export class Child {
  lines = [];
  #watchers = new Set();

  constructor(command, args, options = {}) {
    this.name = command.split('/').at(-1);
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    running.add(this.process);
    // 'close' follows the last line, and a failed start.
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        running.delete(this.process);
        this.hasEnded = true;
        resolve({ code, signal });
      });
    });
    this.process.once('error', (error) => this.#add(String(error)));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#add(line));
    }
  }

  get pid() {
    return this.process.pid;
  }

  #add(line) {
    this.lines.push(line);
    for (const watch of this.#watchers) watch(line);
  }

  /** Waits for the first line that matches; fails if the process ends before. Returns the match. */
  async line(pattern) {
    const seen = this.lines.map((line) => line.match(pattern)).find(Boolean);
    if (seen) return seen;
    let watch;
    const found = new Promise((resolve, reject) => {
      watch = (line) => {
        const match = line.match(pattern);
        if (match) resolve(match);
      };
      this.#watchers.add(watch);
      this.ended.then(({ code, signal }) => {
        reject(new Error(`${this.name} ended (${code ?? signal}) before ${pattern}:\n${this.lines.join('\n')}`));
      });
    });
    try {
      return await within(found, () => `${this.name}: ${pattern} in:\n${this.lines.join('\n')}`, PROCESS_LIMIT_MS);
    } finally {
      this.#watchers.delete(watch);
    }
  }

  /** Sends a signal, and waits for the end of the process if the signal ends it. */
  async kill(signal = 'SIGKILL') {
    if (this.hasEnded) return;
    this.process.kill(signal);
    if (signal === 'SIGKILL' || signal === 'SIGTERM')
      await within(this.ended, `the end of ${this.name}`, PROCESS_LIMIT_MS);
  }
}
