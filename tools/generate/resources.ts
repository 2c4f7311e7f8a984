import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GroupRecord, ResourceRecord, SubresourceRecord } from '../../kube/schema/encoding.ts';
import type { Modules } from './modules.ts';
import type { OpenApi } from './openapi.ts';

interface DiscoveryKind {
  group: string;
  version: string;
  kind: string;
}
interface DiscoveryResource {
  resource: string;
  responseKind: DiscoveryKind;
  scope: string;
  singularResource: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: { subresource: string; responseKind: DiscoveryKind; verbs: string[] }[];
}
interface PlainResource {
  name: string;
  kind: string;
  group?: string;
  version?: string;
  namespaced: boolean;
  singularName: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  storageVersionHash?: string;
}

/** The recorded discovery documents as a table: groups in the order that /apis lists them, the core group first. */
export function readResources(modules: Modules, openapi: OpenApi): GroupRecord[] {
  const dir = join(modules.kubernetes, 'api/discovery');
  const read = <T>(name: string) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as T;
  const plain = (path: string) => read<{ resources: PlainResource[] }>(`${path}.json`).resources;
  const aggregated = read<{
    items: { metadata: { name: string }; versions: { version: string; resources: DiscoveryResource[] }[] }[];
  }>('aggregated_v2.json');
  const groups: GroupRecord[] = [{ n: '', v: [{ n: 'v1', r: fromPlain(plain('api__v1')) }] }];
  for (const { metadata, versions } of aggregated.items) {
    const v = versions.map(({ version, resources }) => {
      const list = plain(`apis__${metadata.name}__${version}`);
      return { n: version, r: resources.map((r) => fromAggregated(r, list)) };
    });
    groups.push({ n: metadata.name, v });
  }
  for (const g of groups) {
    for (const v of g.v) {
      const root = g.n === '' ? `/api/${v.n}` : `/apis/${g.n}/${v.n}`;
      for (const r of v.r) {
        const path = `${root}${r.ns ? '/namespaces/{namespace}' : ''}/${r.n}/{name}`;
        if (openapi.returnsDeleted.has(path)) r.d = 1;
      }
    }
  }
  return groups;
}

function fromAggregated(r: DiscoveryResource, plain: PlainResource[]): ResourceRecord {
  const record: ResourceRecord = { n: r.resource, k: r.responseKind.kind, s: r.singularResource, v: r.verbs };
  if (r.scope === 'Namespaced') record.ns = 1;
  if (r.shortNames) record.sn = r.shortNames;
  if (r.categories) record.c = r.categories;
  const hash = plain.find((p) => p.name === r.resource)?.storageVersionHash;
  if (hash) record.h = hash;
  if (r.subresources) record.sub = r.subresources.map((s) => subresource(s.subresource, s.responseKind, s.verbs));
  return record;
}

function subresource(name: string, kind: Partial<DiscoveryKind>, verbs: string[]): SubresourceRecord {
  const foreign = kind.version ? { g: kind.group ?? '', gv: kind.version } : {};
  return { n: name, k: kind.kind ?? '', v: verbs, ...foreign };
}

/** The core group has no aggregated record: resources and `pods/status` rows of the plain list. */
function fromPlain(list: PlainResource[]): ResourceRecord[] {
  const out: ResourceRecord[] = [];
  for (const p of list.filter((x) => !x.name.includes('/'))) {
    const r: ResourceRecord = { n: p.name, k: p.kind, s: p.singularName, v: p.verbs };
    if (p.namespaced) r.ns = 1;
    if (p.shortNames) r.sn = p.shortNames;
    if (p.categories) r.c = p.categories;
    if (p.storageVersionHash) r.h = p.storageVersionHash;
    const sub = list.filter((x) => x.name.startsWith(`${p.name}/`));
    if (sub.length > 0) r.sub = sub.map((x) => subresource(x.name.slice(p.name.length + 1), x, x.verbs));
    out.push(r);
  }
  return out;
}
