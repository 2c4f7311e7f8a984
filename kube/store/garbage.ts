import type { JsonObject } from '../meta/json.ts';
import type { Condition, Entry, Key, PutOp } from './store.ts';

// What the garbage collector has to see to is a row of its own, written with the change that caused it: nothing else wakes it, and nothing gets lost.

/** Finalizers of what waits until its dependents are nobody's, or have gone. */
export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';
/** The resource of these rows; no kind of the API has it. */
export const GARBAGE = 'garbage';
const VERSION = 'v1';

/** Of `garbage/<uid>`: the object, by key, and the apiVersion it is stored in. */
export interface Garbage extends JsonObject {
  of: Key;
  version: string;
}

/** The resource of rows that stand in the main store for objects of another one that have owners. After all resources' names, so that what is listed by owner ends with them. */
export const SHADOWS = '~owned';

/** Stands for an object of another store with these owners: a condition `owned` holds for them. */
export const shadow = (name: string, owners: string[]): PutOp => ({
  key: `${SHADOWS}/${name}`,
  expect: undefined,
  value: {
    text: JSON.stringify({ metadata: { name: name.slice(name.indexOf('/') + 1) } }),
    version: VERSION,
    schema: '',
  },
  facts: { uid: `shadow-${name}`, owners },
});

/** Asks the collector to look at an object: it waits for its dependents, or its owners may be missing (`when`). */
export function garbage(key: Key, uid: string, version: string, when?: Condition): PutOp {
  const text = JSON.stringify({ metadata: { name: uid }, garbage: { of: key, version } });
  const op: PutOp = {
    key: `${GARBAGE}/${uid}`,
    expect: undefined,
    value: { text, version: VERSION, schema: '' },
    facts: { uid: `garbage-${uid}` },
  };
  return when === undefined ? op : { ...op, when };
}

/** For the commit that deletes a row: its dependents are to go too, if it has any. A node's Lease is in another store: nothing stands for it here. */
export function buried({ key, version, facts }: Pick<Entry, 'key' | 'version' | 'facts'>): PutOp {
  return garbage(key, facts.uid, version, key.startsWith('nodes/') ? undefined : { owned: facts.uid });
}
