// Metrics of a bridge, read by the parser of Prometheus' own Python client.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';

import { pythonTool } from './python.mjs';
import { within } from './wait.mjs';

const PARSER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([
    {"name": f.name, "type": f.type, "help": f.documentation, "unit": f.unit,
     "samples": [[s.name, s.labels, repr(s.value)] for s in f.samples]}
    for f in parse(sys.stdin.read())
]))
`;

/** Address of a bridge's metrics; the bridge was started with `metrics`. */
export async function metricsAddress(bridge) {
  return (await bridge.child.line(/metrics\.started listen=(\S+)/))[1];
}

/** All metric families; fails if the text is not valid OpenMetrics. */
export async function families(bridge) {
  const response = await fetch(`http://${await metricsAddress(bridge)}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^application\/openmetrics-text; version=1\.0\.0/);
  return parse(await response.text());
}

async function parse(text) {
  const python = spawn(pythonTool('python'), ['-c', PARSER]);
  let [output, errors] = ['', ''];
  python.stdout.on('data', (chunk) => (output += chunk));
  python.stderr.on('data', (chunk) => (errors += chunk));
  python.stdin.end(text);
  const ended = new Promise((resolve, reject) => {
    python.once('error', reject);
    python.once('close', resolve);
  });
  assert.equal(await within(ended, 'the metrics are parsed'), 0, `${errors}\n${text}`);
  return JSON.parse(output);
}

/** Rollcall's own samples by name and labels; of histograms only the counts, and nothing that changes with time alone. */
export async function scrape(bridge) {
  const samples = (await families(bridge)).flatMap((family) => family.samples);
  return Object.fromEntries(
    samples
      .filter(([name]) => name.startsWith('rollcall_') && !/_(bucket|sum|info|overdue_seconds)$/.test(name))
      .map(([name, labels, value]) => [
        [name.replace('rollcall_', ''), ...Object.values(labels)].join(' '),
        Number(value),
      ]),
  );
}

/** The sum of a metric over all its labels, without the time that the parser takes. */
export async function sum(bridge, metric) {
  const text = await (await fetch(`http://${await metricsAddress(bridge)}/metrics`)).text();
  const samples = text.matchAll(new RegExp(`^${metric}(?:\\{.*\\})? (\\S+)`, 'gm'));
  return [...samples].reduce((total, [, value]) => total + Number(value), 0);
}

/** Differences between two scrapes. */
export function changes(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]);
  return Object.fromEntries(changed.filter(([, by]) => by !== 0).sort());
}
