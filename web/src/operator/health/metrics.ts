// Metrics of a bridge, as it serves them (OpenMetrics text).

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    // Buckets of histograms are most of the text.
    if (line.startsWith('#') || line.includes('_bucket{')) continue;
    const [, name, labels, value] = LINE.exec(line) ?? [];
    if (!name || !value) continue;
    const named = [...(labels ?? '').matchAll(LABEL)].map(([, label = '', text = '']) => [label, text]);
    samples.push({ name, labels: Object.fromEntries(named), value: Number(value) });
  }
  return samples;
}

/** What matters of a bridge. */
export interface BridgeMetrics {
  missing: string[];
  sockets: number;
  maxSockets: number;
  rooms: number;
  /** Calls to the app since the start. */
  calls: number;
  /** Those that failed because of the app or of the way to it. */
  failedCalls: number;
  circuit: string;
  overdueS: number;
  leaseLosses: number;
  startedAt: number | null;
  residentBytes: number | null;
  version: string;
}

/** Outcomes of calls with which something is wrong. The others are refusals of what a client asked. */
const FAILURES = [
  'timeout',
  'connection',
  'status',
  'misfit',
  'given_up',
  'UNAVAILABLE',
  'OVERLOADED',
  'SIGNATURE_INVALID',
];

/** Null if the text is not that of a bridge. */
export function readBridge(text: string): BridgeMetrics | null {
  const samples = parseMetrics(text);
  const all = (name: string) => samples.filter((sample) => sample.name === `rollcall_${name}`);
  const sum = (found: Sample[]) => found.reduce((total, { value }) => total + value, 0);
  const process = (name: string) => samples.find((sample) => sample.name === `process_${name}`)?.value ?? null;
  const parts = all('part_missing');
  if (parts.length === 0) return null;
  const calls = all('app_call_duration_seconds_count');
  const startedS = process('start_time_seconds');
  return {
    missing: parts.filter(({ value }) => value === 1).map(({ labels }) => labels.part ?? ''),
    sockets: sum(all('sockets_open')),
    maxSockets: sum(all('max_sockets')),
    rooms: sum(all('rooms')),
    calls: sum(calls),
    failedCalls: sum(calls.filter(({ labels }) => FAILURES.includes(labels.outcome ?? ''))),
    circuit: all('app_circuit_state').find(({ value }) => value === 1)?.labels.state ?? 'closed',
    overdueS: sum(all('deadline_overdue_seconds')),
    leaseLosses: sum(all('lease_losses_total')),
    startedAt: startedS === null ? null : startedS * 1000,
    residentBytes: process('resident_memory_bytes'),
    version: all('build_info')[0]?.labels.version ?? '',
  };
}
