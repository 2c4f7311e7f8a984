import type { Kind } from '../kinds/kind.ts';
import { groupResource } from '../meta/object.ts';
import type { Interest } from '../store/interest.ts';
import type { Controller, Watch } from './controller.ts';

/** By controller the namespaces that hold its roots: where it looks at what it watches beside them. */
export type Beside = Readonly<Record<string, readonly string[]>>;

/** groupResource of a kind's storage: the first part of its keys. */
export function resourceOf(kind: Kind): string {
  return groupResource(kind.served[0]?.group ?? '', kind.plural);
}

/** What a loop with these controllers looks at: what it registers. Each once; who wants all of a resource needs no parts of it. */
export function interestsOf(controllers: readonly Controller[], beside: Beside = {}): Interest[] {
  const all = controllers.flatMap((c): Interest[] => [
    { resource: resourceOf(c.for), ...c.roots },
    ...(c.owns ?? []).map((kind) => ({ resource: resourceOf(kind), owned: true })),
    ...(c.watches ?? []).flatMap((w): Interest[] => {
      const interest: Interest = {
        resource: resourceOf(w.kind),
        ...(w.name === undefined ? {} : { name: w.name }),
        ...w.where,
      };
      if (!w.beside) return [interest];
      const namespaces = beside[c.name] ?? [];
      return namespaces.length === 0 ? [] : [{ ...interest, namespaces }];
    }),
  ]);
  const whole = new Set(all.filter((i) => Object.keys(i).length === 1).map((i) => i.resource));
  const known = new Set<string>();
  return all.filter((i) => {
    const text = JSON.stringify(i);
    if (known.has(text) || (whole.has(i.resource) && Object.keys(i).length > 1)) return false;
    known.add(text);
    return true;
  });
}

/** The resources that a controller watches beside its roots. */
export const besideOf = (c: Controller): string[] => [
  ...new Set((c.watches ?? []).filter((w) => w.beside).map((w) => resourceOf(w.kind))),
];

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
