import { EVERYTHING, rangeUnder } from '../../kube/store/key.ts';
import { isRelated } from '../../kube/store/select.ts';
import type { Entry, Key, Store } from '../../kube/store/store.ts';
import { type Layers, rowsIn } from './rows.ts';

const PREFIX = { owner: 'o:', node: 'n:', ref: 'r:' } as const;

/** Rows by fact, through the index of facts. */
export function related(l: Layers, ...[by, value, o = {}]: Parameters<Store['related']>): Entry[] {
  const range = o.resource === undefined ? EVERYTHING : rangeUnder(o.resource);
  const from: Key = o.after !== undefined && o.after >= range.from ? `${o.after}\0` : range.from;
  const found: Entry[] = [];
  for (const entry of rowsIn(l, { from, to: range.to }, PREFIX[by] + value)) {
    // Base rows come whether they have the fact or not.
    if (!isRelated(entry, by, value)) continue;
    found.push(o.factsOnly ? { ...entry, value: '' } : entry);
    if (o.limit && found.length >= o.limit) break;
  }
  return found;
}
