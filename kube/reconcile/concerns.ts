import type { Kind } from '../kinds/kind.ts';
import { matches } from '../store/interest.ts';
import type { Entry, Key } from '../store/store.ts';
import type { Controller, Row, Watch } from './controller.ts';
import { resourceOf } from './interests.ts';

// Whom a changed row concerns.

/** What a resource is to a controller: its root, what it owns, what it watches. */
export interface Concern {
  c: Controller;
  isRoot: boolean;
  owns: boolean;
  watches: readonly Watch[];
}
/** By resource the controllers that a change of it may concern: most concern few. */
export function concernsOf(controllers: readonly Controller[]): ReadonlyMap<string, readonly Concern[]> {
  const found = new Map<string, Concern[]>();
  for (const c of controllers) {
    const kinds = [c.for, ...(c.owns ?? []), ...(c.watches ?? []).map((w) => w.kind)];
    for (const resource of new Set(kinds.map(resourceOf))) {
      const is = (kind: Kind) => resourceOf(kind) === resource;
      const concern: Concern = {
        c,
        isRoot: is(c.for),
        owns: c.owns?.some(is) === true,
        watches: (c.watches ?? []).filter((w) => is(w.kind)),
      };
      found.set(resource, [...(found.get(resource) ?? []), concern]);
    }
  }
  return found;
}

/** Whether a row of a resource is a root for whose sake its controller looks beside it. */
export const asks = (c: Controller, resource: string, row: Row): boolean =>
  c.besideOf !== undefined && resourceOf(c.for) === resource && c.besideOf(row);

/** Without `roots` every object is one; with it those that match now. */
export const isRootNow = (c: Controller, key: Key, entry: Entry | null): boolean =>
  c.roots === undefined || (entry !== null && matches({ resource: '', ...c.roots }, key, entry.facts));
