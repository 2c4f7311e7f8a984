import { type GroupVersionKind, groupResource } from '../meta/object.ts';
import { apiGroups, resourcesOf } from '../schema/resources.ts';
import type { SchemaRef } from '../schema/schema.ts';
import { assemble, type Row } from './assemble.ts';
import { BEHAVIOURS } from './behaviours.ts';
import type { Kind } from './kind.ts';

/** Resources of other groups that are the same stored kind: Event's newer group. */
const SAME: Readonly<Record<string, string>> = { 'events.events.k8s.io': 'events' };
/** Storage versions where several are served; else the first listed. */
const STORED: Readonly<Record<string, string>> = { 'horizontalpodautoscalers.autoscaling': 'v2' };

/** Where a group's structs are when not under api and the group's first label. */
const PACKAGES: Readonly<Record<string, string>> = {
  '': 'api.core',
  'apiextensions.k8s.io': 'apiextensions-apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'kube-aggregator.pkg.apis.apiregistration',
};
/** The reference of a kind without loading its group's data. */
function refOf({ group, version, kind }: GroupVersionKind): SchemaRef {
  const home = PACKAGES[group] ?? `api.${group.split('.')[0]}`;
  return { group, version, kind, struct: `io.k8s.${home}.${version}.${kind}` };
}
function served(): Row[] {
  return apiGroups().flatMap(({ group, versions }) =>
    versions.flatMap((version) =>
      [...resourcesOf(group, version).values()].map(
        (r): Row => ({
          ...refOf({ group, version, kind: r.kind }),
          plural: r.plural,
          singular: r.singular,
          scope: r.namespaced ? 'Namespaced' : 'Cluster',
          verbs: r.verbs,
          short: r.shortNames,
          categories: r.categories,
          subresources: [...r.subresources.values()].map((s) => ({ name: s.name, ref: refOf(s.kind), verbs: s.verbs })),
        }),
      ),
    ),
  );
}

function make(rows: readonly Row[]): Kind[] {
  const grouped = new Map<string, Row[]>();
  for (const row of rows) {
    const own = groupResource(row.group, row.plural);
    const key = SAME[own] ?? own;
    const of = grouped.get(key);
    if (!of) grouped.set(key, [row]);
    else if (row.version === STORED[key]) of.unshift(row);
    else of.push(row);
  }
  return [...grouped].map(([key, of]) => assemble(of, BEHAVIOURS[key]));
}

/** Every resource that Kubernetes serves by default, made from the resource table and the kinds' own files. */
export const kinds: readonly Kind[] = make(served());

const byResource = new Map<string, Kind>();
const byKind = new Map<string, Kind>();
const byStorage = new Map<string, Kind>();
for (const kind of kinds) {
  for (const ref of kind.served) {
    byResource.set(`${ref.group}/${ref.version}/${kind.plural}`, kind);
    byKind.set(`${ref.group}/${ref.version}/${ref.kind}`, kind);
  }
  const [stored] = kind.served;
  if (stored) byStorage.set(groupResource(stored.group, kind.plural), kind);
}

/** The kind that a path names: `apps`, `v1`, `deployments`. */
export const kindOf = (group: string, version: string, plural: string): Kind | undefined =>
  byResource.get(`${group}/${version}/${plural}`);
/** The kind of a group, version and kind. */
export const kindByGVK = (gvk: GroupVersionKind): Kind | undefined =>
  byKind.get(`${gvk.group}/${gvk.version}/${gvk.kind}`);
/** The kind whose rows have this groupResource as the first part of their keys. */
export const kindByStorage = (resource: string): Kind | undefined => byStorage.get(resource);
