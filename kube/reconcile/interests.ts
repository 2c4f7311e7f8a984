import type { Kind } from '../kinds/kind.ts';
import { groupResource } from '../meta/object.ts';
import type { Interest } from '../store/interest.ts';
import type { Controller } from './controller.ts';

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

/** Whether all rows of a resource are of interest, wherever they are. */
export const isWhole = (interests: readonly Interest[], resource: string): boolean =>
  interests.some((i) => i.resource === resource && Object.keys(i).length === 1);

/** The resources that a controller watches beside its roots. */
export const besideOf = (c: Controller): string[] => [
  ...new Set((c.watches ?? []).filter((w) => w.beside).map((w) => resourceOf(w.kind))),
];
