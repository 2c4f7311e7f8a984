import { bytesOfBase64 } from '../codec/base64.ts';

// Base64 as Go's encoding/base64.StdEncoding reads it: line breaks are skipped, padding is required, spare bits are ignored.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PLAIN = /^[A-Za-z0-9+/]*={0,2}$/;

/** The text as Go writes it back; null when it isn't base64. */
export function canonicalBase64(text: string): string | null {
  const s = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text;
  if (s.length % 4 !== 0 || !PLAIN.test(s)) return null;
  if (!s.endsWith('=')) return s;
  // The last digit before the padding may carry bits that belong to no byte.
  const pad = s.endsWith('==') ? 2 : 1;
  const at = s.length - pad - 1;
  const spare = pad === 2 ? 0b1111 : 0b11;
  const digit = ALPHABET.indexOf(s.charAt(at));
  if ((digit & spare) === 0) return s;
  return s.slice(0, at) + ALPHABET.charAt(digit & ~spare) + '='.repeat(pad);
}

/** Go's error for a text that isn't base64; empty when it is. */
export function base64Problem(text: string): string {
  if (canonicalBase64(text) !== null) return '';
  return `illegal base64 data at input byte ${bytesOfBase64(text)}`;
}
