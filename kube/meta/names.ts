import { child, invalid, key, required } from './issues.ts';
import type { Issue } from './status.ts';

// Checks of names with the texts of apimachinery pkg/util/validation/validation.go and pkg/api/validate/content, v0.37.1.
// Each gives the list of what is wrong, in upstream's words; an empty list means the value is fine.

/** Upstream words a limit in "characters" in its older checks and in "bytes" in the declarative ones; both count bytes. */
export type Unit = 'characters' | 'bytes';

const DNS_LABEL_MAX = 63;
const DNS_SUBDOMAIN_MAX = 253;
const LABEL_VALUE_MAX = 63;
/** IANA service names, RFC 6335. */
const PORT_NAME_MAX = 15;

const NONE: readonly string[] = Object.freeze([]);

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_UNDERSCORE = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const SUBDOMAIN_UNDERSCORE = `${LABEL_UNDERSCORE}(\\.${LABEL_UNDERSCORE})*`;
const DNS1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const WILDCARD = `\\*\\.${SUBDOMAIN}`;
const LABEL_KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${LABEL_KEY})?`;
const C_IDENTIFIER = '[A-Za-z_][A-Za-z0-9_]*';
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const PERCENT = '[0-9]+%';
const HEADER = '[-A-Za-z0-9]+';
const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

const whole = (pattern: string, flags = '') => new RegExp(`^(?:${pattern})$`, flags);
const labelRe = whole(LABEL);
const subdomainRe = whole(SUBDOMAIN);
const subdomainCaselessRe = whole(SUBDOMAIN, 'i');
const subdomainUnderscoreRe = whole(SUBDOMAIN_UNDERSCORE);
const dns1035Re = whole(DNS1035);
const wildcardRe = whole(WILDCARD);
const labelKeyRe = whole(LABEL_KEY);
const labelValueRe = whole(LABEL_VALUE);
const cIdentifierRe = whole(C_IDENTIFIER);
const configKeyRe = whole(CONFIG_KEY);
const percentRe = whole(PERCENT);
const headerRe = whole(HEADER);
const httpPathRe = whole(HTTP_PATH);

/** Longer ones are looked through by the engine first: most have one byte for each unit. */
const SHORT_UNITS = 32;
const BEYOND_ASCII = /[^\0-\x7f]/;

/** The length of a text in UTF-8, which is what Go's len counts. */
export function byteLength(s: string): number {
  let n = s.length;
  if (n > SHORT_UNITS && !BEYOND_ASCII.test(s)) return n;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x80) continue;
    if (c < 0x800) n += 1;
    else if (c >= 0xd800 && c < 0xdc00 && i + 1 < s.length) {
      n += 2;
      i++;
    } else n += 2;
  }
  return n;
}
const longer = (s: string, max: number) => s.length * 3 > max && byteLength(s) > max;
/** Whether texts are more than `max` bytes in UTF-8 together. Their lengths mostly tell; only else are they walked through. */
export function longerTogether(texts: readonly string[], max: number): boolean {
  let units = 0;
  for (const s of texts) units += s.length;
  if (units * 3 <= max) return false;
  return units > max || texts.reduce((n, s) => n + byteLength(s), 0) > max;
}
const maxLength = (max: number, unit: Unit) => `must be no more than ${max} ${unit}`;

/** `message (e.g. 'a',  or 'b', regex used for validation is '...')`: upstream's RegexError. */
function regexError(message: string, pattern: string, ...examples: string[]): string {
  const eg = examples.length === 0 ? '' : `e.g. ${examples.map((e) => `'${e}', `).join(' or ')}`;
  return `${message} (${eg}regex used for validation is '${pattern}')`;
}
/** `must be between 1 and 65535, inclusive`. */
const inclusiveRange = (lo: number, hi: number) => `must be between ${lo} and ${hi}, inclusive`;
export const NOT_NEGATIVE = 'must be greater than or equal to 0';

const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const CASELESS_TEXT =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const UNDERSCORE_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const DNS1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const WILDCARD_TEXT =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
const KEY_TEXT =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const C_TEXT =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'";
const RELAXED_ENV_TEXT =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";
const CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
const PERCENT_TEXT = "a valid percent string must be a numeric string followed by an ending '%'";
const HEADER_TEXT = "a valid HTTP header must consist of alphanumeric characters or '-'";

/** The general shape of a check: fine when the length and the pattern are, else the texts. */
function check(value: string, max: number, re: RegExp, unit: Unit, text: () => string): readonly string[] {
  const long = longer(value, max);
  const matches = re.test(value);
  if (!long && matches) return NONE;
  const problems: string[] = [];
  if (long) problems.push(maxLength(max, unit));
  if (!matches) problems.push(text());
  return problems;
}

/** A DNS label (RFC 1123). */
export function dns1123Label(value: string, unit: Unit = 'characters'): readonly string[] {
  return check(value, DNS_LABEL_MAX, labelRe, unit, () =>
    subdomainRe.test(value) ? 'must not contain dots' : regexError(LABEL_TEXT, LABEL, 'my-name', '123-abc'),
  );
}
/** A DNS subdomain (RFC 1123). */
export function dns1123Subdomain(value: string, unit: Unit = 'characters'): readonly string[] {
  return check(value, DNS_SUBDOMAIN_MAX, subdomainRe, unit, () => regexError(SUBDOMAIN_TEXT, SUBDOMAIN, 'example.com'));
}
/** A DNS subdomain in any case; only the declarative format k8s-long-name-caseless uses it. */
export function dns1123SubdomainCaseless(value: string): readonly string[] {
  return check(value, DNS_SUBDOMAIN_MAX, subdomainCaselessRe, 'bytes', () =>
    regexError(CASELESS_TEXT, SUBDOMAIN, 'Example.com'),
  );
}
/** A DNS subdomain whose labels may hold underscores (search domains). */
export function dns1123SubdomainWithUnderscore(value: string): readonly string[] {
  return check(value, DNS_SUBDOMAIN_MAX, subdomainUnderscoreRe, 'characters', () =>
    regexError(UNDERSCORE_TEXT, SUBDOMAIN_UNDERSCORE, 'example.com'),
  );
}
/** A DNS label that starts with a letter (RFC 1035): Service names. */
export function dns1035Label(value: string): readonly string[] {
  return check(value, DNS_LABEL_MAX, dns1035Re, 'characters', () =>
    regexError(DNS1035_TEXT, DNS1035, 'my-name', 'abc-123'),
  );
}
/** `*.` and a DNS subdomain. */
export function wildcardDns1123Subdomain(value: string): readonly string[] {
  return check(value, DNS_SUBDOMAIN_MAX, wildcardRe, 'characters', () =>
    regexError(WILDCARD_TEXT, WILDCARD, '*.example.com'),
  );
}

/** A qualified name, which is also a label key: an optional DNS subdomain and `/`, then 1 to 63 characters. */
export function qualifiedName(value: string): readonly string[] {
  const slash = value.indexOf('/');
  if (slash < 0 && value.length <= 63 && labelKeyRe.test(value)) return NONE;
  const parts = value.split('/');
  const keyText = () => regexError(KEY_TEXT, LABEL_KEY, 'MyName', 'my.name', '123-abc');
  if (parts.length > 2) {
    return [`a valid label key ${keyText()} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const problems: string[] = [];
  const name = parts[parts.length - 1] ?? '';
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') problems.push('prefix part must be non-empty');
    else for (const p of dns1123Subdomain(prefix, 'bytes')) problems.push(`prefix part ${p}`);
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (longer(name, 63)) problems.push(`name part ${maxLength(63, 'bytes')}`);
  if (!labelKeyRe.test(name)) problems.push(`name part ${keyText()}`);
  return problems;
}
/** A label key with its prefix (declarative format k8s-prefixed-label-key). */
export function prefixedLabelKey(value: string): readonly string[] {
  const problems = qualifiedName(value);
  if (problems.length > 0 || value.includes('/')) return problems;
  return ["must include a prefix (e.g. 'example.com/key')"];
}
/** A label's value: empty, or up to 63 characters. */
export function labelValue(value: string): readonly string[] {
  return check(value, LABEL_VALUE_MAX, labelValueRe, 'bytes', () =>
    regexError(VALUE_TEXT, LABEL_VALUE, 'MyValue', 'my_value', '12345'),
  );
}

/** A C identifier. */
export function cIdentifier(value: string): readonly string[] {
  return cIdentifierRe.test(value) ? NONE : [regexError(C_TEXT, C_IDENTIFIER, 'my_name', 'MY_NAME', 'MyName')];
}
function dotPrefix(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}
/** An environment variable's name: any printable ASCII but `=`. */
export function relaxedEnvVarName(value: string): readonly string[] {
  if (value === '') return ['environment variable name must be non-empty'];
  return /^[ -<>-~]*$/.test(value) ? NONE : [RELAXED_ENV_TEXT];
}
/** A key of a ConfigMap or Secret. */
export function configMapKey(value: string): readonly string[] {
  const shape = check(value, DNS_SUBDOMAIN_MAX, configKeyRe, 'characters', () =>
    regexError(CONFIG_KEY_TEXT, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'),
  );
  const dots = dotPrefix(value);
  return dots.length === 0 ? shape : [...shape, ...dots];
}
/** A number from 1 to 65535. */
export function portNumber(port: number): readonly string[] {
  return inRange(port, 1, 65535);
}
/** A number from `min` to `max`. */
export function inRange(value: number | bigint, min: number, max: number): readonly string[] {
  return value >= min && value <= max ? NONE : [inclusiveRange(min, max)];
}
/** A port's name (RFC 6335). */
export function portName(port: string): readonly string[] {
  const problems: string[] = [];
  if (longer(port, PORT_NAME_MAX)) problems.push(maxLength(PORT_NAME_MAX, 'characters'));
  if (!/^[-a-z0-9]+$/.test(port)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(port)) problems.push('must contain at least one letter (a-z)');
  if (port.includes('--')) problems.push('must not contain consecutive hyphens');
  if (port.startsWith('-') || port.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}
/** `25%`. */
export function percent(value: string): readonly string[] {
  return percentRe.test(value) ? NONE : [regexError(PERCENT_TEXT, PERCENT, '1%', '93%')];
}
/** An HTTP header's name. */
export function httpHeaderName(value: string): readonly string[] {
  return headerRe.test(value) ? NONE : [regexError(HEADER_TEXT, HEADER, 'X-Header-Name')];
}

/** A name that can stand in a URL's path: what RBAC and other lenient kinds ask for. */
export function pathSegmentName(value: string): readonly string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return pathSegmentPrefix(value);
}
/** The beginning of such a name. */
function pathSegmentPrefix(value: string): readonly string[] {
  return ['/', '%'].filter((c) => value.includes(c)).map((c) => `may not contain '${c}'`);
}
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** A lower-case UUID (declarative format k8s-uuid). */
export function uuid(value: string): readonly string[] {
  return UUID.test(value) ? NONE : ['must be a lowercase UUID in 8-4-4-4-12 format'];
}

/** What suffixes of generated names are made of (apimachinery pkg/util/rand): no vowels, so no words; no look-alikes. */
export const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** How a kind names its objects: `prefix` is true for generateName, whose trailing dash is allowed. */
export type NameCheck = (name: string, prefix: boolean) => readonly string[];
const masked = (name: string, prefix: boolean) =>
  prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
export const nameIsDnsSubdomain: NameCheck = (name, prefix) => dns1123Subdomain(masked(name, prefix));
export const nameIsDnsLabel: NameCheck = (name, prefix) => dns1123Label(masked(name, prefix));
export const nameIsPathSegment: NameCheck = (name, prefix) =>
  prefix ? pathSegmentPrefix(name) : pathSegmentName(name);

/** `acme.io/foo`: a domain and a path. */
export function domainPrefixedPath(path: string, value: string): Issue[] {
  if (value === '') return [required(path)];
  const slash = value.indexOf('/');
  const host = value.slice(0, Math.max(slash, 0));
  const rest = value.slice(slash + 1);
  if (slash < 0 || host === '' || rest === '') {
    return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  const issues = dns1123Subdomain(host).map((p) => invalid(path, host, p));
  if (!httpPathRe.test(rest)) issues.push(invalid(path, rest, regexError('Invalid path', HTTP_PATH)));
  return issues;
}
/** A map of labels (metav1 ValidateLabels). */
export function validateLabels(path: string, labels: Record<string, string> | undefined): Issue[] {
  const issues: Issue[] = [];
  for (const name in labels) {
    for (const p of qualifiedName(name)) issues.push(invalid(path, name, p));
    const value = labels[name] ?? '';
    for (const p of labelValue(value)) issues.push(invalid(path, value, p));
  }
  return issues;
}

/** A metav1.LabelSelector given by a user (ValidateLabelSelector). */
export function validateLabelSelector(
  path: string,
  selector:
    | {
        matchLabels?: Record<string, string>;
        matchExpressions?: { key?: string; operator?: string; values?: string[] }[];
      }
    | undefined,
  lenientValues = false,
): Issue[] {
  const issues = validateLabels(child(path, 'matchLabels'), selector?.matchLabels);
  for (const [i, e] of (selector?.matchExpressions ?? []).entries()) {
    const at = key(child(path, 'matchExpressions'), String(i));
    const values = e.values ?? [];
    if (e.operator === 'In' || e.operator === 'NotIn') {
      if (values.length === 0) {
        issues.push(required(child(at, 'values'), "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (e.operator === 'Exists' || e.operator === 'DoesNotExist') {
      if (values.length > 0) {
        const text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        issues.push({ type: 'FieldValueForbidden', field: child(at, 'values'), message: `Forbidden: ${text}` });
      }
    } else issues.push(invalid(child(at, 'operator'), e.operator ?? '', 'not a valid selector operator'));
    for (const p of qualifiedName(e.key ?? '')) issues.push(invalid(child(at, 'key'), e.key ?? '', p));
    if (lenientValues) continue;
    for (const [j, v] of values.entries()) {
      for (const p of labelValue(v)) issues.push(invalid(key(child(at, 'values'), String(j)), v, p));
    }
  }
  return issues;
}
