import { forbidden, invalid, key, tooLong } from '../meta/issues.ts';
import { equalJson, type Json } from '../meta/json.ts';
import { configMapKey, longerTogether, nameIsDnsSubdomain } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { bool, obj, str, texts } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { validateObjectMeta } from './objectmeta.ts';

/** core.MaxSecretSize: values of a Secret or ConfigMap together. */
export const MAX_DATA_BYTES = 1024 * 1024;
/** Bytes behind a base64 text. */
export function base64Length(v: string): number {
  const padding = v.endsWith('==') ? 2 : v.endsWith('=') ? 1 : 0;
  return Math.floor(v.length / 4) * 3 - padding;
}
/** Keys that a ConfigMap or Secret may have. */
export const dataKeys = (path: string, v: Json | undefined): Issue[] =>
  Object.keys(obj(v))
    .sort()
    .flatMap((k) => configMapKey(k).map((p) => invalid(key(path, k), k, p)));
/** What `immutable: true` keeps: itself and the members given. */
export function keptData(next: KubeObject, prev: KubeObject, members: readonly string[]): Issue[] {
  if (!bool(prev.immutable)) return [];
  const text = 'field is immutable when `immutable` is set';
  const issues: Issue[] = bool(next.immutable) ? [] : [forbidden('immutable', text)];
  for (const m of members) if (!equalJson(next[m] ?? {}, prev[m] ?? {})) issues.push(forbidden(m, text));
  return issues;
}

export const CONFIGMAP: Behaviour = {
  validate(next, prev) {
    const data = texts(next.data);
    const binary = texts(next.binaryData);
    const issues: Issue[] = [];
    // Sorted are those that are told of: there may be 10,000 keys.
    const wrong: string[] = [];
    for (const k in data) if (binary[k] !== undefined || configMapKey(k).length > 0) wrong.push(k);
    for (const k of wrong.sort()) {
      issues.push(...configMapKey(k).map((p) => invalid(key('data', k), k, p)));
      if (binary[k] !== undefined) issues.push(invalid(key('data', k), k, 'duplicate of key present in binaryData'));
    }
    issues.push(...dataKeys('binaryData', binary));
    let rest = MAX_DATA_BYTES;
    for (const k in binary) rest -= base64Length(str(binary[k]));
    if (longerTogether(Object.values(data).map(str), rest)) issues.push(tooLong('[]', MAX_DATA_BYTES));
    if (!prev) return issues;
    return [
      ...keptData(next, prev, ['data', 'binaryData']),
      ...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain),
      ...issues,
    ];
  },
};
