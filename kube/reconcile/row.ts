import { parseJson } from '../codec/json.ts';
import type { Kind } from '../kinds/kind.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { apiVersionOf, type KubeObject } from '../meta/object.ts';
import type { Entry } from '../store/store.ts';
import type { Controller, Row } from './controller.ts';
import { resourceOf } from './interests.ts';

/** What the projection keeps of a stored object: all that any controller of the loop asks for. */
export function rowOf(entry: Entry, projections: readonly ((o: KubeObject) => JsonObject)[] | undefined): Row {
  const object = parseJson(entry.value) as KubeObject;
  return {
    key: entry.key,
    revision: entry.revision,
    uid: entry.facts.uid,
    labels: entry.facts.labels ?? {},
    owner: object.metadata.ownerReferences?.find((r) => r.controller === true)?.uid ?? '',
    data: projections === undefined ? object : Object.assign({}, ...projections.map((p) => p(object))),
  };
}

/** By resource the projections of the controllers that look at it; none where one of them needs objects whole. */
export function projectionsOf(controllers: readonly Controller[]): Map<string, ((o: KubeObject) => JsonObject)[]> {
  const found = new Map<string, ((o: KubeObject) => JsonObject)[]>();
  const whole = new Set<string>();
  for (const c of controllers) {
    for (const k of [c.for, ...(c.owns ?? []), ...(c.watches ?? []).map((w) => w.kind)]) {
      const resource = resourceOf(k);
      const project = c.project?.[resource];
      if (project === undefined) whole.add(resource);
      else if (!found.get(resource)?.includes(project)) found.set(resource, [...(found.get(resource) ?? []), project]);
    }
  }
  for (const resource of whole) found.delete(resource);
  return found;
}

/** The object that a row keeps whole, with kind, apiVersion and resourceVersion as a client would see it. */
export function objectOf(row: Row | undefined, kind: Kind): KubeObject | undefined {
  if (row === undefined) return undefined;
  const stored = kind.served[0];
  const { metadata, ...rest } = row.data as unknown as KubeObject;
  return {
    apiVersion: stored ? apiVersionOf(stored) : 'v1',
    kind: kind.kind,
    metadata: { ...metadata, resourceVersion: String(row.revision) },
    ...rest,
  };
}

/** Whether two rows show the same, whatever their revisions. */
export const sameRow = (a: Row, b: Row): boolean =>
  a.uid === b.uid &&
  a.owner === b.owner &&
  equalJson(a.labels as JsonObject, b.labels as JsonObject) &&
  equalJson(a.data, b.data);
