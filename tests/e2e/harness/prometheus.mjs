// A real Prometheus with the files of deploy/monitoring, in which time passes faster: it scrapes, evaluates, looks back
// and waits in a twentieth of the time that the files say. So an alert fires after the same number of scrapes as in
// production. Thresholds stay as they are.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Child } from './child.mjs';
import { reserveAddress } from './ports.mjs';

export const MONITORING = fileURLToPath(new URL('../../../deploy/monitoring/', import.meta.url));

const SPEED = 20;

const UNITS_MS = { s: 1000, m: 60_000 };

/** The same configuration or rules with shorter intervals, ranges and waits. */
const speedUp = (text) =>
  text.replace(/(interval: |for: |\[)(\d+)([sm])\b/g, (_, before, count, unit) => {
    return `${before}${(count * UNITS_MS[unit]) / SPEED}ms`;
  });

/** Fails with the output of promtool if it finds a mistake. */
export async function promtool(...args) {
  const outcome = await promisify(execFile)('promtool', args, { cwd: MONITORING }).catch((error) => error);
  assert.equal(outcome.code ?? 0, 0, `promtool ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
}

export class Prometheus {
  /** `targets`: the addresses of metrics, by the address in prometheus.yml in whose place they come. */
  static async start(targets) {
    const prometheus = new Prometheus();
    prometheus.folder = await mkdtemp(join(tmpdir(), 'rollcall-prometheus-'));
    try {
      await prometheus.#launch(targets);
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  async #launch(targets) {
    const config = await readFile(`${MONITORING}prometheus.yml`, 'utf8');
    const filled = config.replaceAll(/"([\w-]+:9090)"/g, (_, documented) => `"${targets[documented]}"`);
    const file = join(this.folder, 'prometheus.yml');
    await writeFile(file, speedUp(filled));
    const rules = await readFile(`${MONITORING}alerts.yml`, 'utf8');
    await writeFile(join(this.folder, 'alerts.yml'), speedUp(rules));
    this.address = await reserveAddress();
    this.child = new Child('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${this.folder}/data`,
      `--web.listen-address=${this.address}`,
    ]);
    await this.child.line(/Server is ready to receive web requests/);
  }

  async #get(path, parameters = {}) {
    const response = await fetch(`http://${this.address}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await response.json();
    assert.equal(status, 'success', `${error} in ${JSON.stringify(parameters)}`);
    return data;
  }

  /** The result of an expression now: a list of {metric, value: [time, text]}. */
  async query(expression) {
    return (await this.#get('query', { query: expression })).result;
  }

  /** The labels of each alert that fires now. */
  async firing() {
    const { alerts } = await this.#get('alerts');
    return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels);
  }

  async stop() {
    await this.child?.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
