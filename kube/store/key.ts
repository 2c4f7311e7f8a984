import { groupResource } from '../meta/object.ts';
import type { Key, Range } from './store.ts';

/** The key of an object; `namespace` is '' for cluster-scoped kinds. */
export function keyOf(group: string, plural: string, namespace: string, name: string): Key {
  const r = groupResource(group, plural);
  return namespace === '' ? `${r}/${name}` : `${r}/${namespace}/${name}`;
}

/** The keys of a resource, of one namespace of it, or of one object. */
export function rangeOf(group: string, plural: string, namespace = '', name = ''): Range {
  const r = groupResource(group, plural);
  if (name !== '') {
    const key = keyOf(group, plural, namespace, name);
    return { from: key, to: `${key}\0` };
  }
  return rangeUnder(namespace === '' ? r : `${r}/${namespace}`);
}

/** The keys that begin with a groupResource, or with one and a namespace: '0' is the byte after '/'. */
export const rangeUnder = (prefix: string): Range => ({ from: `${prefix}/`, to: `${prefix}0` });

/** The groupResource that a key begins with: what parseKey() calls `resource`, without the rest. */
export const resourceOfKey = (key: Key): string => key.slice(0, key.indexOf('/'));

/** The range of all keys: U+FFFF comes after every character of theirs. */
export const EVERYTHING: Range = { from: '', to: '\uffff' };

/** Of keys in byte order, the index of the first that isn't before `key`. */
export function lowerBound(keys: readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes a key apart; namespace is '' for two-part keys. */
export function parseKey(key: Key): { resource: string; namespace: string; name: string } {
  const parts = key.split('/');
  return parts.length === 3
    ? { resource: parts[0] ?? '', namespace: parts[1] ?? '', name: parts[2] ?? '' }
    : { resource: parts[0] ?? '', namespace: '', name: parts[1] ?? '' };
}

/** Whether a row is found by what it refers to. A pod names a dozen objects, and whoever asks knows its node. */
export const foundByRefs = (key: Key): boolean => !key.startsWith('pods/');
