// Standard Base64 with padding, in browsers and in Node.js.

/** Newer engines convert by themselves. */
type NewerBytes = Uint8Array & { toBase64?: () => string };
type NewerConstructor = typeof Uint8Array & { fromBase64?: (text: string) => Uint8Array };

/** Engines limit how many arguments a call may have. */
const CHUNK = 8192;

export function toBase64(bytes: Uint8Array): string {
  const newer = (bytes as NewerBytes).toBase64?.();
  if (newer !== undefined) return newer;
  let binary = '';
  for (let from = 0; from < bytes.length; from += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(from, from + CHUNK));
  }
  return btoa(binary);
}

export function fromBase64(text: string): Uint8Array {
  const newer = (Uint8Array as NewerConstructor).fromBase64?.(text);
  return newer ?? Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
