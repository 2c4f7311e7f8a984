import { invalid } from '../../meta/issues.ts';
import type { Issue } from '../../meta/status.ts';

/** What is left of an address when it is read as Go's net package reads it: family, bytes and whether the strict reader takes it too. */
export interface Address {
  family: 4 | 6;
  bytes: readonly number[];
  /** Leading zeros in a decimal part: only the sloppy reader takes them. */
  zeros: boolean;
  /** `::ffff:1.2.3.4`. */
  mapped: boolean;
}

/** Reads an address; null when it isn't one. IPv4 parts may have leading zeros (ParseIPSloppy). */
export function parseAddress(text: string): Address | null {
  if (!text.includes(':')) {
    const v4 = parseV4(text);
    return v4 && { family: 4, bytes: v4.bytes, zeros: v4.zeros, mapped: false };
  }
  return parseV6(text);
}
function parseV4(text: string): { bytes: number[]; zeros: boolean } | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let zeros = false;
  const bytes: number[] = [];
  for (const p of parts) {
    if (!/^[0-9]+$/.test(p) || Number(p) > 255) return null;
    if (p.length > 1 && p.startsWith('0')) zeros = true;
    bytes.push(Number(p));
  }
  return { bytes, zeros };
}
function parseV6(text: string): Address | null {
  if (text.includes('%')) return null;
  let rest = text;
  let tail: number[] = [];
  let zeros = false;
  const dot = rest.lastIndexOf(':');
  if (rest.slice(dot + 1).includes('.')) {
    const v4 = parseV4(rest.slice(dot + 1));
    if (!v4) return null;
    tail = [((v4.bytes[0] ?? 0) << 8) | (v4.bytes[1] ?? 0), ((v4.bytes[2] ?? 0) << 8) | (v4.bytes[3] ?? 0)];
    zeros = v4.zeros;
    rest = rest.slice(0, dot) + (rest[dot - 1] === ':' ? ':' : '');
  }
  const halves = rest.split('::');
  if (halves.length > 2) return null;
  const words = (s: string) => (s === '' ? [] : s.split(':'));
  const head = words(halves[0] ?? '');
  const end = halves.length === 2 ? words(halves[1] ?? '') : [];
  const all = [...head, ...end];
  if (all.some((w) => !/^[0-9a-fA-F]{1,4}$/.test(w))) return null;
  const missing = 8 - tail.length - all.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const nums = [
    ...head.map((w) => Number.parseInt(w, 16)),
    ...new Array<number>(halves.length === 2 ? missing : 0).fill(0),
    ...end.map((w) => Number.parseInt(w, 16)),
    ...tail,
  ];
  const mapped = nums.slice(0, 5).every((n) => n === 0) && nums[5] === 0xffff;
  const bytes = nums.flatMap((n) => [n >> 8, n & 0xff]);
  return { family: mapped ? 4 : 6, bytes: mapped ? bytes.slice(12) : bytes, zeros, mapped };
}
/** The address as net.IP prints it (RFC 5952). */
export function printAddress(a: Address): string {
  if (a.family === 4) return a.bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((a.bytes[2 * i] ?? 0) << 8) | (a.bytes[2 * i + 1] ?? 0));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && words[i + n] === 0) n++;
    if (n > best.length) best = { at: i, length: n };
  }
  const hex = words.map((w) => w.toString(16));
  if (best.at < 0) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`;
}

const NOT_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
/** An address in a field older than the strict rules (StrictIPCIDRValidation is on in 1.37); values in `old` may stay. */
export function validateLegacyIP(path: string, value: string, old: readonly string[] = []): Issue[] {
  if (old.includes(value)) return [];
  const a = parseAddress(value);
  if (!a) return [invalid(path, value, NOT_IP)];
  const issues: Issue[] = [];
  if (a.zeros) issues.push(invalid(path, value, 'must not have leading 0s'));
  else if (a.mapped) issues.push(invalid(path, value, 'must not be an IPv4-mapped IPv6 address'));
  return issues;
}
/** An address in canonical form: fields made since 1.33. */
export function validateIP(path: string, value: string): Issue[] {
  const issues = validateLegacyIP(path, value);
  if (issues.length > 0) return issues;
  const a = parseAddress(value);
  const canonical = a ? printAddress(a) : value;
  return canonical === value ? [] : [invalid(path, value, `must be in canonical form (${JSON.stringify(canonical)})`)];
}
/** Warnings for an address in an odd form. */
export function warnIP(path: string, value: string): string[] {
  const a = parseAddress(value);
  if (!a) return [];
  const canonical = printAddress(a);
  if (a.zeros || a.mapped)
    return [`${path}: non-standard IP address ${JSON.stringify(value)} is invalid: use ${JSON.stringify(canonical)}`];
  return a.family === 6 && canonical !== value
    ? [
        `${path}: IPv6 address ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
      ]
    : [];
}

/** A CIDR in a field older than the strict rules: IsValidCIDRForLegacyField. */
export function validateLegacyCIDR(path: string, value: string, old: readonly string[] = []): Issue[] {
  if (old.includes(value)) return [];
  const slash = value.indexOf('/');
  const a = slash < 0 ? null : parseAddress(value.slice(0, slash));
  const bits = value.slice(slash + 1);
  const length = a === null ? 0 : a.family === 4 && !a.mapped ? 32 : 128;
  if (a === null || !/^[0-9]{1,3}$/.test(bits) || Number(bits) > length) {
    return [invalid(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')];
  }
  if (a.mapped) return [invalid(path, value, 'must not have an IPv4-mapped IPv6 address')];
  if (a.zeros || (bits.length > 1 && bits.startsWith('0'))) {
    return [invalid(path, value, 'must not have leading 0s in IP or prefix length')];
  }
  const masked = a.bytes.map((b, i) => b & (0xff00 >> Math.min(8, Math.max(0, Number(bits) - 8 * i))) & 0xff);
  if (masked.some((b, i) => b !== a.bytes[i])) {
    const network = `${printAddress({ ...a, bytes: masked })}/${bits}`;
    return [
      invalid(
        path,
        value,
        `must not have bits set beyond the prefix length (did you mean ${JSON.stringify(network)}?)`,
      ),
    ];
  }
  return [];
}
/** A unicast address that an endpoint may have: ValidateEndpointIP. */
export function validateEndpointIP(path: string, value: string): Issue[] {
  const a = parseAddress(value);
  if (!a) return [invalid(path, value, 'must be a valid IP address')];
  const b = a.bytes;
  const v4 = a.family === 4;
  const only = (last: number) => b.slice(0, -1).every((x) => x === 0) && b[b.length - 1] === last;
  const issues: Issue[] = [];
  if (only(0)) issues.push(invalid(path, value, `may not be unspecified (${value})`));
  if (v4 ? b[0] === 127 : only(1)) {
    issues.push(invalid(path, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  if (v4 ? b[0] === 169 && b[1] === 254 : b[0] === 0xfe && ((b[1] ?? 0) & 0xc0) === 0x80) {
    issues.push(invalid(path, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (v4 ? b[0] === 224 && b[1] === 0 && b[2] === 0 : b[0] === 0xff && ((b[1] ?? 0) & 0x0f) === 2) {
    issues.push(invalid(path, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return issues;
}
