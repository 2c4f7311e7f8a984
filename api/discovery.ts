import { printJson } from '../kube/codec/json.ts';
import { fnv1aLane } from '../kube/meta/hash.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { Steps } from '../kube/meta/steps.ts';
import { apiGroups, findResource } from '../kube/schema/resources.ts';
import type { SchemaRef } from '../kube/schema/schema.ts';
import type { PolicyView } from './attributes.ts';
import { type Call, inTurns } from './call.ts';
import type { Resource } from './parts.ts';
import type { Resources } from './resources.ts';

// Discovery: apiserver pkg/endpoints/discovery and its aggregated form (KEP-3352, apidiscovery.k8s.io/v2).

/** A group with its versions, preferred first, and their resources in order of name. */
export interface Group {
  name: string;
  versions: { version: string; resources: Resource[] }[];
}

/** What a cluster serves, by group in upstream's order: compiled once per policy revision. */
export function groupsOf(view: PolicyView, resources: Resources): readonly Group[] {
  return view.compiled('api.groups', (v) => collect([...resources.all(v)]));
}

/** Before groupsOf(): reads the shapes that nobody has asked for yet, with everybody else's turn between. */
export const readResources = (call: Call): Promise<void> => inTurns(call, call.resources.read(call.cluster.view));

function collect(all: readonly Resource[]): Group[] {
  const groups = new Map<string, Map<string, Resource[]>>();
  // Built-in groups come in the release's order; versions too, preferred first.
  for (const g of apiGroups()) groups.set(g.group, new Map(g.versions.map((v) => [v, []])));
  for (const r of all) {
    let versions = groups.get(r.ref.group);
    if (!versions) {
      versions = new Map();
      groups.set(r.ref.group, versions);
    }
    const list = versions.get(r.ref.version);
    if (list) list.push(r);
    else versions.set(r.ref.version, [r]);
  }
  const out: Group[] = [];
  for (const [name, versions] of groups) {
    const served = [...versions].filter(([, list]) => list.length > 0);
    if (served.length === 0) continue;
    out.push({
      name,
      versions: served.map(([version, list]) => ({
        version,
        resources: list.sort((a, b) => (a.kind.plural < b.kind.plural ? -1 : 1)),
      })),
    });
  }
  return out;
}

const groupVersion = (group: string, version: string) => (group === '' ? version : `${group}/${version}`);

/** `/api`. */
export function apiVersions(address: string): JsonObject {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

/** `/apis`. */
export function apiGroupList(groups: readonly Group[]): JsonObject {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.filter((g) => g.name !== '').map(groupObject) };
}

/** `/apis/<group>`. */
export const apiGroup = (g: Group): JsonObject => ({ kind: 'APIGroup', apiVersion: 'v1', ...groupObject(g) });
function groupObject(g: Group): JsonObject {
  const versions = g.versions.map((v) => ({ groupVersion: groupVersion(g.name, v.version), version: v.version }));
  return { name: g.name, versions, ...(versions[0] ? { preferredVersion: versions[0] } : {}) };
}

/** `/api/v1` and `/apis/<group>/<version>`. */
export function apiResourceList(group: string, version: string, resources: readonly Resource[]): JsonObject {
  const list: JsonObject[] = [];
  for (const r of resources) {
    const { kind } = r;
    const hash = hashOf(r);
    list.push({
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.scope === 'Namespaced',
      kind: r.ref.kind,
      verbs: [...kind.verbs].sort(),
      ...(kind.short ? { shortNames: [...kind.short] } : {}),
      ...(kind.categories ? { categories: [...kind.categories] } : {}),
      ...(hash === '' ? {} : { storageVersionHash: hash }),
    });
    for (const s of subresourcesOf(r)) {
      const foreign = s.ref.group !== group || s.ref.version !== version;
      list.push({
        name: `${kind.plural}/${s.name}`,
        singularName: '',
        namespaced: kind.scope === 'Namespaced',
        ...(foreign ? { group: s.ref.group, version: s.ref.version } : {}),
        kind: s.ref.kind,
        verbs: s.verbs,
      });
    }
  }
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersion(group, version),
    resources: list,
  };
}

function hashOf(r: Resource): string {
  return findResource(r.ref.group, r.ref.version, r.kind.plural)?.storageVersionHash ?? '';
}

interface Sub {
  name: string;
  ref: { group: string; version: string; kind: string };
  verbs: string[];
}
function subresourcesOf(r: Resource): Sub[] {
  const out: Sub[] = [];
  const known = findResource(r.ref.group, r.ref.version, r.kind.plural)?.subresources;
  for (const [name, s] of Object.entries(r.kind.subresources ?? {})) {
    const own: SchemaRef | undefined = s.is === 'view' ? s.as?.ref : s.ref;
    out.push({ name, ref: known?.get(name)?.kind ?? own ?? r.ref, verbs: [...s.verbs].sort() });
  }
  return out.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The aggregated list as a text with its ETag; `core` for `/api`, else the groups of `/apis`. One group in a step. */
export function* aggregated(groups: readonly Group[], core: boolean, version: string): Steps<Document> {
  const head = { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {} };
  const texts: string[] = [];
  for (const g of groups) {
    if ((g.name === '') !== core) continue;
    texts.push(printJson(discoveryGroup(g)));
    yield;
  }
  const text = `${printJson(head).slice(0, -1)},"items":[${texts.join(',')}]}\n`;
  yield;
  return { text, etag: tagOf(text) };
}
const discoveryGroup = (g: Group): JsonObject => ({
  metadata: g.name === '' ? {} : { name: g.name },
  versions: g.versions.map((v) => ({
    version: v.version,
    resources: v.resources.map(discoveryResource),
    freshness: 'Current',
  })),
});
function responseKind(r: Resource, { ref }: Sub): JsonObject {
  const foreign = ref.group !== r.ref.group || ref.version !== r.ref.version;
  return { group: foreign ? ref.group : '', version: foreign ? ref.version : '', kind: ref.kind };
}
function discoveryResource(r: Resource): JsonObject {
  const { kind } = r;
  const subs = subresourcesOf(r);
  return {
    resource: kind.plural,
    // Upstream names group and version only where they aren't the list's own.
    responseKind: { group: '', version: '', kind: r.ref.kind },
    scope: kind.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: [...kind.verbs].sort(),
    ...(kind.short ? { shortNames: [...kind.short] } : {}),
    ...(kind.categories ? { categories: [...kind.categories] } : {}),
    ...(subs.length === 0
      ? {}
      : { subresources: subs.map((s) => ({ subresource: s.name, responseKind: responseKind(r, s), verbs: s.verbs })) }),
  };
}

/** A document's text with its ETag, made once. */
export interface Document {
  text: string;
  etag: string;
}
/** A strong tag over a text: 128 bits of FNV-1a in four lanes, in upper-case hex as upstream's. It guards caches, not secrets. */
export function tagOf(text: string): string {
  let out = '';
  for (let lane = 0; lane < 4; lane++) {
    out += fnv1aLane(text, lane * 0x9e3779b1)
      .toString(16)
      .padStart(8, '0');
  }
  return out.toUpperCase();
}
