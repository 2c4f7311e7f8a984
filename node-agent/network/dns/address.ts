import { isIPv4, isIPv6 } from 'node:net';

/** The bytes of an IP address as text, 4 or 16; null for anything else, also for an address with a zone. */
export function addressBytes(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%')) return null;
  const bytes = new Uint8Array(16);
  const [head = '', tail] = text.split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

/** The bytes of groups between colons; the last may be an IPv4 address. */
function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((g) => {
    if (g.includes('.')) return g.split('.').map(Number);
    const n = Number.parseInt(g, 16);
    return [n >> 8, n & 255];
  });
}

/** One text for each address, however it is written; null for what is none. */
export function addressKey(text: string): string | null {
  const bytes = addressBytes(text);
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

const NIBBLES = /^[0-9a-f]$/;

/** The addressKey that a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5), labels in lower case; null for other names. */
export function reverseKey(labels: readonly string[]): string | null {
  const [family, arpa] = [labels.at(-2), labels.at(-1)];
  if (arpa !== 'arpa') return null;
  const digits = labels.slice(0, -2).reverse();
  if (family === 'in-addr') return digits.length === 4 ? addressKey(digits.join('.')) : null;
  if (family !== 'ip6' || digits.length !== 32 || !digits.every((d) => NIBBLES.test(d))) return null;
  return digits.join('');
}
