import { bytesOfBase64 } from '../codec/base64.ts';
import { invalid, key, required, tooLong } from '../meta/issues.ts';
import { isObject } from '../meta/json.ts';
import { nameIsDnsSubdomain } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { make, str, texts } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { base64Length, dataKeys, keptData, MAX_DATA_BYTES } from './configmap.ts';
import { immutable, validateObjectMeta } from './objectmeta.ts';

/** Keys that a type must have; `either`: one of them is enough, and an empty value counts as missing with `filled`. */
const REQUIRED: Readonly<
  Record<string, { keys: readonly string[]; either?: boolean; filled?: boolean; json?: boolean }>
> = {
  'kubernetes.io/dockercfg': { keys: ['.dockercfg'], json: true },
  'kubernetes.io/dockerconfigjson': { keys: ['.dockerconfigjson'], json: true },
  'kubernetes.io/basic-auth': { keys: ['username', 'password'], either: true },
  'kubernetes.io/ssh-auth': { keys: ['ssh-privatekey'], filled: true },
  'kubernetes.io/tls': { keys: ['tls.crt', 'tls.key'] },
};
const ACCOUNT = 'kubernetes.io/service-account.name';

export const SECRET: Behaviour = {
  default(o) {
    if (str(o.type) === '') o.type = 'Opaque';
    // stringData is write-only: its texts become data.
    if (!isObject(o.stringData)) return;
    const data = make(o, 'data');
    for (const k in o.stringData) data[k] = base64(str(o.stringData[k]));
    delete o.stringData;
  },
  prepare(next, prev) {
    if (prev && str(next.type) === '') next.type = prev.type;
  },
  validate(next, prev) {
    const data = texts(next.data);
    const issues = dataKeys('data', data);
    let size = 0;
    for (const k in data) size += base64Length(str(data[k]));
    if (size > MAX_DATA_BYTES) issues.push(tooLong('data', MAX_DATA_BYTES));
    issues.push(...ofType(str(next.type), data, texts(next.metadata.annotations)));
    if (!prev) return issues;
    return [
      ...immutable('type', next.type, prev.type),
      ...keptData(next, prev, ['data']),
      ...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain),
      ...issues,
    ];
  },
  fields: { type: (o) => str(o.type) },
};
function ofType(type: string, data: Record<string, string>, annotations: Record<string, string>): Issue[] {
  if (type === 'kubernetes.io/service-account-token') {
    return str(annotations[ACCOUNT]) === '' ? [required(key('metadata.annotations', ACCOUNT))] : [];
  }
  const need = REQUIRED[type];
  if (!need) return [];
  const missing = need.keys.filter((k) => data[k] === undefined || (need.filled && data[k] === ''));
  if (need.either && missing.length < need.keys.length) return [];
  const issues: Issue[] = missing.map((k) => required(key('data', k)));
  const [first = ''] = need.keys;
  if (need.json && missing.length === 0) {
    const problem = jsonProblem(data[first] ?? '');
    if (problem !== '') issues.push(invalid(key('data', first), '<secret contents redacted>', problem));
  }
  return issues;
}
/** What Go's json.Unmarshal into a map says of the most common mistakes; '' for an object. */
function jsonProblem(encoded: string): string {
  const text = decoded(encoded);
  if (text.trim() === '') return 'unexpected end of JSON input';
  try {
    const v: unknown = JSON.parse(text);
    if (v === null || isObject(v)) return '';
    const type = Array.isArray(v) ? 'array' : typeof v === 'boolean' ? 'bool' : typeof v;
    return `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`;
  } catch {
    // The first character tells what most clients get wrong; later mistakes have texts of their own upstream.
    return `invalid character '${text.trim()[0]}' looking for beginning of value`;
  }
}
function base64(text: string): string {
  let binary = '';
  for (const b of new TextEncoder().encode(text)) binary += String.fromCharCode(b);
  return btoa(binary);
}
function decoded(encoded: string): string {
  const bytes = bytesOfBase64(encoded);
  return typeof bytes === 'number' ? '' : new TextDecoder().decode(bytes);
}
