// The HTTP API for all parts of the page, with what the token may do.

import { RollcallApi } from '@rollcall/server/api.js';
import { RollcallError } from '@rollcall/server/errors.js';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

export interface Service {
  api: RollcallApi;
  /** Without it, the token may only read. */
  mayChange: boolean;
  /** Tells the page that the token is not accepted any more. */
  onRefused: () => void;
}

/** A read is tried again until then. Longer would hide an outage. */
const TIMEOUT_MS = 5000;

/** Whether the server has refused the token itself. */
export const isRefusal = (error: unknown): boolean => error instanceof RollcallError && error.status === 401;

/**
 * Asks the server what a token may do.
 *
 * @throws {RollcallError} if the server refuses the token or does not answer
 * @throws {TypeError} if the text can be no token
 */
export async function signIn(token: string, onRefused: () => void): Promise<Service> {
  const api = new RollcallApi({ url: location.origin, token, timeoutMs: TIMEOUT_MS });
  await api.list({ limit: 1 });
  const { headers } = await fetch('/rooms?limit=1', { headers: { authorization: `Bearer ${token}` } });
  return { api, mayChange: headers.get('rollcall-access') === 'change', onRefused };
}

const ServiceContext = createContext<Service | null>(null);
export const ServiceProvider = ServiceContext.Provider;

export function useService(): Service {
  const service = useContext(ServiceContext);
  if (!service) throw new Error('There is no ServiceProvider above this component.');
  return service;
}

/** An id for a command, so that a second press of a button has no second effect. */
export function newCommandId(): string {
  // `randomUUID` exists on pages with TLS only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
