import type { Key } from '../store/store.ts';
import type { Controller, Watch } from './controller.ts';
import { resourceOf } from './interests.ts';

/** The map of a watch whose rows a controller only reads: it is never asked. */
export const wakesNobody = (): Key[] => [];

/** What a controller has to do with a resource. */
export interface Concern {
  controller: Controller;
  /** groupResource of its root kind. */
  roots: string;
  isRoot: boolean;
  owns: boolean;
  /** Its watches of the resource that wake somebody. */
  watches: readonly Watch[];
}

/** By resource the controllers that a change there may concern: worked out once, asked for each changed row. */
export function concernsOf(controllers: readonly Controller[]): Map<string, Concern[]> {
  const found = new Map<string, Concern[]>();
  for (const controller of controllers) {
    const roots = resourceOf(controller.for);
    const { owns = [], watches = [] } = controller;
    for (const resource of new Set([controller.for, ...owns, ...watches.map((w) => w.kind)].map(resourceOf))) {
      const concern: Concern = {
        controller,
        roots,
        isRoot: roots === resource,
        owns: owns.some((k) => resourceOf(k) === resource),
        watches: watches.filter((w) => resourceOf(w.kind) === resource && w.map !== wakesNobody),
      };
      if (concern.isRoot || concern.owns || concern.watches.length > 0)
        found.set(resource, [...(found.get(resource) ?? []), concern]);
    }
  }
  return found;
}
