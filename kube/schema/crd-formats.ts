import { dns1123Label, dns1123Subdomain } from '../meta/names.ts';
import { canonicalTime, parseDuration } from '../meta/time.ts';
import { canonicalBase64 } from './base64.ts';

// String formats of CustomResourceDefinitions: kube-openapi pkg/validation/strfmt. Names are compared without dashes; others are ignored.

const hex = (version: string, variant = '[0-9a-f]') =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
const matches = (re: RegExp) => (s: string) => re.test(s);

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

function isIPv6(s: string): boolean {
  if (!/^[0-9A-Fa-f:.]+$/.test(s) || !s.includes(':')) return false;
  const [head = '', tail, more] = s.split('::');
  if (more !== undefined) return false;
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const all = [...groups(head), ...groups(tail ?? '')];
  const last = all.at(-1) ?? '';
  let count = all.length;
  if (last.includes('.')) {
    if (!IPV4.test(last)) return false;
    all.pop();
    count++;
  }
  if (!all.every((g) => /^[0-9A-Fa-f]{1,4}$/.test(g))) return false;
  return tail === undefined ? count === 8 : count < 8;
}

function isCidr(s: string): boolean {
  const [address = '', bits = '', more] = s.split('/');
  if (more !== undefined || !/^(?:0|[1-9]\d{0,2})$/.test(bits)) return false;
  return IPV4.test(address) ? Number(bits) <= 32 : isIPv6(address) && Number(bits) <= 128;
}

/** Go's url.ParseRequestURI: absolute, or a path from the root. */
function isUri(s: string): boolean {
  if (s === '' || /[\s\p{Cc}]/u.test(s)) return false;
  if (s.startsWith('/')) return true;
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(s) && /^[^:]+:(?:\/\/|[^/])/.test(s) && !/%(?![0-9A-Fa-f]{2})/.test(s);
}

function isDate(s: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(s) && canonicalTime(`${s}T00:00:00Z`) !== null;
}

function isHostname(s: string): boolean {
  return (
    s.length <= 255 &&
    /^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?$/.test(s)
  );
}

function isIsbn10(s: string): boolean {
  const d = s.replace(/[ -]/g, '');
  if (!/^\d{9}[\dX]$/.test(d)) return false;
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += (10 - i) * (d[i] === 'X' ? 10 : Number(d[i]));
  return sum % 11 === 0;
}
function isIsbn13(s: string): boolean {
  const d = s.replace(/[ -]/g, '');
  if (!/^\d{13}$/.test(d)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += Number(d[i]) * (i % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

const FORMATS: Record<string, (s: string) => boolean> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: isUri,
  email: matches(/^(?:[^<>@\s]+@[^<>@\s]+|[^<>@]*<[^<>@\s]+@[^<>@\s]+>)$/),
  hostname: isHostname,
  ipv4: matches(IPV4),
  ipv6: isIPv6,
  cidr: isCidr,
  mac: matches(
    /^(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}$|^(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}$/,
  ),
  uuid: matches(hex('[0-9a-f]')),
  uuid3: matches(hex('3')),
  uuid4: matches(hex('4', '[89ab]')),
  uuid5: matches(hex('5', '[89ab]')),
  isbn: (s) => isIsbn10(s) || isIsbn13(s),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: (s) =>
    /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/.test(
      s.replace(/\D/g, ''),
    ),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: (s) => {
    const m = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(s);
    return m?.slice(1).every((n) => Number(n) <= 255) ?? false;
  },
  byte: (s) => canonicalBase64(s) !== null,
  password: () => true,
  date: isDate,
  duration: (s) =>
    parseDuration(s) !== null ||
    /^\s*\d+(?:\.\d+)?\s*(?:ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*$/.test(
      s,
    ),
  datetime: (s) => canonicalTime(s.toUpperCase()) !== null,
  k8sshortname: (s) => dns1123Label(s).length === 0,
  k8slongname: (s) => dns1123Subdomain(s).length === 0,
};

/** The check of a string format; undefined when upstream ignores the format. */
export function customFormat(format: string): ((s: string) => boolean) | undefined {
  return FORMATS[format.replaceAll('-', '')];
}
