// Watches the bridges by their metrics, and the app and Redis by what the bridges and this page see of them.

import { RollcallError } from '@rollcall/server/errors.js';
import { useRef } from 'preact/hooks';

import { usePolling } from '../polling.js';
import type { Rooms } from '../rooms/rooms.js';
import { type Finding, judgeBridge, type Look, type State, WINDOW_MS, worst } from './judge.js';
import { type BridgeMetrics, readBridge } from './metrics.js';

const INTERVAL_MS = 5000;
/** As many bridges cost the network what few ones do. */
const BRIDGES_AT_ONCE = 10;
const TIMEOUT_MS = 4000;

export interface Part {
  state: State;
  /** Since when it is in this state, as far as this page has seen. */
  since: number;
}

export interface BridgeHealth extends Part {
  address: string;
  findings: Finding[];
  /** What the bridge said last. */
  metrics: BridgeMetrics | null;
}

export interface Health {
  state: State;
  app: Part;
  redis: Part;
  /** Of how many bridges the part is missing, and of how many is known. */
  missing: { app: number; redis: number; known: number };
  /** Why the app does not answer this page; null if it does. */
  error: unknown;
  bridges: BridgeHealth[];
}

/** Where the metrics are: the server says so. */
function addresses(): string[] {
  const listed = document.querySelector<HTMLMetaElement>('meta[name="rollcall-metrics"]')?.content ?? '';
  return listed.split(/\s+/).filter(Boolean);
}

async function look(address: string, signal: AbortSignal): Promise<Look> {
  const metrics = await fetch(`${address}/metrics`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    cache: 'no-store',
  })
    .then(async (response) => (response.ok ? readBridge(await response.text()) : null))
    .catch(() => null);
  return { at: Date.now(), metrics };
}

export function useHealth(rooms: Rooms): Health {
  const { data } = usePolling<Record<string, Look[]>>(
    'metrics',
    async (last, signal) => {
      const looks = await Promise.all(
        addresses().map(async (address) => {
          const now = await look(address, signal);
          const earlier = (last?.[address] ?? []).filter(({ at }) => at > now.at - WINDOW_MS);
          return [address, [...earlier, now]] as [string, Look[]];
        }),
      );
      return Object.fromEntries(looks);
    },
    (looks) => INTERVAL_MS * Math.max(1, Math.ceil(Object.keys(looks).length / BRIDGES_AT_ONCE)),
  );
  const states = useRef(new Map<string, Part>());
  const since = (name: string, state: State): Part => {
    const known = states.current.get(name);
    if (known?.state === state) return known;
    const part = { state, since: Date.now() };
    states.current.set(name, part);
    return part;
  };

  const bridges = addresses().map((address): BridgeHealth => {
    const looks = data?.[address] ?? [];
    const findings = judgeBridge(looks);
    const state = looks.length === 0 ? 'unknown' : worst(findings.map(({ state }) => state));
    const metrics = looks.findLast(({ metrics }) => metrics !== null)?.metrics ?? null;
    return { ...since(address, state), address, findings, metrics };
  });
  const answering = bridges.filter(({ findings }) => !findings.some(({ kind }) => kind === 'silent'));
  const known = answering.filter(({ metrics }) => metrics !== null).length;
  const lacking = (...parts: string[]) =>
    answering.filter(({ metrics }) => metrics?.missing.some((part) => parts.includes(part))).length;
  const missing = { app: lacking('app'), redis: lacking('redis', 'events'), known };
  const partly = (count: number): State => (count === 0 ? 'ok' : count === known ? 'bad' : 'attention');

  const { error } = rooms;
  const isUnavailable = error instanceof RollcallError && error.code === 'UNAVAILABLE';
  // An app that says what it lacks answers.
  const seenByPage: State = error === null ? (rooms.all ? 'ok' : 'unknown') : isUnavailable ? 'attention' : 'bad';
  const redisByPage: State = isUnavailable ? 'bad' : error === null && rooms.all ? 'ok' : 'unknown';
  const app = since('app', worst([seenByPage, partly(missing.app)]));
  const redis = since('redis', worst([redisByPage, partly(missing.redis)]));
  return {
    state: worst([app.state, redis.state, ...bridges.map(({ state }) => state)]),
    app,
    redis,
    missing,
    error,
    bridges,
  };
}
