import type { GroupVersionKind } from '../meta/object.ts';
import type { GroupRecord, ResourceRecord } from './encoding.ts';
import { data } from './generated/1.37/resources.ts';

/** One resource of a group and version, as discovery describes it. */
export interface ApiResource {
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  verbs: readonly string[];
  shortNames: readonly string[];
  categories: readonly string[];
  /** Empty where upstream gives none. */
  storageVersionHash: string;
  /** A DELETE that removes the object at once answers with it, not with a Status (upstream's ReturnDeletedObject). */
  returnsDeleted?: boolean;
  /** In discovery's order (by name). */
  subresources: ReadonlyMap<string, ApiSubresource>;
}
export interface ApiSubresource {
  name: string;
  /** The kind of its body, often of another group: autoscaling/v1 Scale, policy/v1 Eviction. */
  kind: GroupVersionKind;
  /** True where discovery names the kind's group and version (they differ from the parent's). */
  foreign: boolean;
  verbs: readonly string[];
}
export interface ApiGroup {
  group: string;
  /** Versions served by default, the preferred one first. */
  versions: readonly string[];
  /** Versions that exist but are off unless asked for (all alphas and betas). */
  disabled: readonly string[];
}

/** kube-apiserver 1.37 serves stable versions only: pkg/controlplane/instance.go, DefaultAPIResourceConfigSource. */
const STABLE = /^v\d+$/;

let records: GroupRecord[] | undefined;
const tables = new Map<string, ReadonlyMap<string, ApiResource>>();
const EMPTY: ReadonlyMap<string, ApiResource> = new Map();

function load(): GroupRecord[] {
  records ??= JSON.parse(data) as GroupRecord[];
  return records;
}

/** All groups in discovery's order, the core group (`''`) first; groups without a served version are left out. */
export function apiGroups(): ApiGroup[] {
  return load()
    .map((g) => ({
      group: g.n,
      versions: g.v.map((v) => v.n).filter((v) => STABLE.test(v)),
      disabled: g.v.map((v) => v.n).filter((v) => !STABLE.test(v)),
    }))
    .filter((g) => g.versions.length > 0);
}

/** The resources of a group and version by plural, in discovery's order; empty when there is no such version. Alphas and betas are found too. */
export function resourcesOf(group: string, version: string): ReadonlyMap<string, ApiResource> {
  const key = `${group}/${version}`;
  const known = tables.get(key);
  if (known) return known;
  const rows = load()
    .find((g) => g.n === group)
    ?.v.find((v) => v.n === version)?.r;
  if (!rows) return EMPTY;
  const table = new Map(rows.map((r) => [r.n, read(group, version, r)]));
  tables.set(key, table);
  return table;
}

function read(group: string, version: string, r: ResourceRecord): ApiResource {
  const subresources = new Map<string, ApiSubresource>();
  for (const s of r.sub ?? []) {
    const kind = { group: s.gv ? (s.g ?? '') : group, version: s.gv ?? version, kind: s.k };
    subresources.set(s.n, { name: s.n, kind, foreign: s.gv !== undefined, verbs: s.v });
  }
  return {
    group,
    version,
    plural: r.n,
    singular: r.s,
    kind: r.k,
    namespaced: r.ns === 1,
    verbs: r.v,
    shortNames: r.sn ?? [],
    categories: r.c ?? [],
    storageVersionHash: r.h ?? '',
    ...(r.d ? { returnsDeleted: true } : {}),
    subresources,
  };
}

/** One resource; undefined when the version doesn't have it. */
export function findResource(group: string, version: string, plural: string): ApiResource | undefined {
  return resourcesOf(group, version).get(plural);
}
/** The resource of a kind; undefined when no resource has it (it may still be a subresource's body). */
export function resourceOfKind({ group, version, kind }: GroupVersionKind): ApiResource | undefined {
  for (const r of resourcesOf(group, version).values()) if (r.kind === kind) return r;
  return undefined;
}
/** True when kube-apiserver serves the version without being asked to. */
export function servedByDefault(group: string, version: string): boolean {
  return STABLE.test(version) && resourcesOf(group, version) !== EMPTY;
}
