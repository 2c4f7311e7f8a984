import { printJson } from '../kube/codec/json.ts';
import { parseSteps } from '../kube/codec/json-pieces.ts';
import { JSON_TYPE } from '../kube/codec/negotiate.ts';
import { isObject, type Json, type JsonObject } from '../kube/meta/json.ts';
import { badRequest, failure, notFound } from '../kube/meta/status.ts';
import { formatMicroTime } from '../kube/meta/time.ts';
import { LAST_APPLIED } from '../kube/patch/apply.ts';
import { keyOf } from '../kube/store/key.ts';
import type { Revision, Version } from '../kube/store/store.ts';
import type { RequestInfo } from './attributes.ts';
import { Again, assumption, type Call, inStages, stage, storeOf, unrefused, weigh } from './call.ts';
import { groupsOf, readResources } from './discovery.ts';
import { type FieldChange, fieldChanges } from './fieldchanges.ts';
import type { Resource } from './parts.ts';
import { respond } from './respond.ts';

// An object in time: `?kind=deploy.apps&namespace=default&name=web`. Not a path of Kubernetes; who may get the object may see its history.

/** Versions of one answer unless the client says otherwise, and at most. */
const LIMIT = 20;
const LIMIT_MAX = 500;
/** Longer values are cut: nobody reads them, and they are in the object's versions. */
const VALUE_UNITS = 500;

/** What is asked for, and the request that it counts as for authorization: a get of the object. Throws NotFound in kubectl's words. */
export async function historyTarget(call: Call): Promise<{ resource: Resource; info: Call['info'] }> {
  const { query } = call;
  const kind = query.get('kind') ?? '';
  const name = query.get('name') ?? '';
  if (kind === '' || name === '') throw badRequest('kind and name are needed');
  await readResources(call);
  const resource = resourceOf(call, kind.toLowerCase());
  if (!resource) throw failure('NotFound', `the server doesn't have a resource type ${JSON.stringify(kind)}`, {});
  const namespace = resource.kind.scope === 'Namespaced' ? query.get('namespace') || 'default' : '';
  const { group, version } = resource.ref;
  const asked: RequestInfo = { ...call.info, isResource: true, verb: 'get', group, version, namespace, name };
  return { resource, info: { ...asked, resource: resource.kind.plural, viaPath: false } };
}

/** The resource that an argument of kubectl names: plural, singular or short name, with the group or its beginning, with the version before it. */
function resourceOf(call: Call, argument: string): Resource | undefined {
  const [name = '', ...rest] = argument.split('.');
  const [version, ...group] = rest;
  return (
    (version !== undefined && /^v\d/.test(version) ? find(call, name, group.join('.'), version) : undefined) ??
    find(call, name, rest.join('.'), undefined)
  );
}
function find(call: Call, name: string, group: string, version: string | undefined): Resource | undefined {
  let short: Resource | undefined;
  for (const g of groupsOf(call.cluster.view, call.resources)) {
    if (group !== '' && !g.name.startsWith(group)) continue;
    for (const v of g.versions) {
      if (version !== undefined && v.version !== version) continue;
      for (const r of v.resources) {
        if (!r.kind.verbs.includes('get')) continue;
        if ([r.kind.plural, r.kind.singular, r.kind.kind.toLowerCase()].includes(name)) return r;
        if (r.kind.short?.includes(name)) short ??= r;
      }
    }
  }
  return short;
}

/** The versions of the object, newest first, each with what it changed. */
export async function history(call: Call, resource: Resource): Promise<Response> {
  const { namespace, name } = call.info;
  const limit = limitOf(call.query.get('limit'));
  const key = keyOf(resource.stored.group, resource.kind.plural, namespace, name);
  const before = Number(call.query.get('continue') ?? 0);
  if (!Number.isSafeInteger(before) || before < 0) throw badRequest('continue is not one of this server');
  const store = storeOf(call, resource, namespace);
  // One more than asked for: what the last one changed is seen from the one before it.
  const page = await store.versions(key, {
    limit: limit + 1,
    assume: assumption(call),
    ...(before > 0 ? { before } : {}),
  });
  if (!page.ok) throw new Again(page);
  call.confirmed = true;
  const { versions } = page;
  if (versions.length === 0 && before === 0) throw notFound(resource.name, name);
  let { next } = page;
  if (versions.length === 1 && next !== undefined) {
    // Of a large object each is a page of its own, and a step to read.
    await call.cluster.turn?.();
    const older = unrefused(await store.versions(key, { limit: 1, before: next }));
    versions.push(...older.versions);
    next = older.next;
  }
  const shown = next === undefined && versions.length <= limit ? versions : versions.slice(0, -1);
  const last = shown[shown.length - 1];
  const answer: JsonObject = {
    kind: 'ObjectHistory',
    apiVersion: 'coracle.dev/v1',
    metadata: last && shown.length < versions.length ? { continue: String(last.revision) } : {},
    object: {
      apiVersion: resource.apiVersion,
      kind: resource.ref.kind,
      ...(namespace === '' ? {} : { namespace }),
      name,
    },
    items: await itemsOf(call, resource, shown, versions),
  };
  return respond(call, 200, `${printJson(answer)}\n`, JSON_TYPE);
}

function limitOf(text: string | null): number {
  if (text === null || text === '') return LIMIT;
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw badRequest('limit must be a whole number above 0');
  return Math.min(n, LIMIT_MAX);
}

/** What is told of the first versions of a page; of large ones in steps. */
async function itemsOf(call: Call, resource: Resource, shown: Version[], versions: Version[]): Promise<JsonObject[]> {
  const items: JsonObject[] = [];
  let parsed: { of: Version; body: JsonObject } | undefined;
  const bodyOf = async (of: Version, text: string): Promise<JsonObject> => {
    if (parsed?.of === of) return parsed.body;
    weigh(call, text.length);
    const turn = stage(call);
    if (turn) await turn;
    parsed = { of, body: shownOf(await inStages(call, parseSteps(text))) };
    return parsed.body;
  };
  for (const [i, v] of shown.entries()) {
    const older = versions[i + 1];
    const item: JsonObject = { revision: String(v.revision), time: formatMicroTime(v.atMs) };
    if (v.by !== undefined) item.user = v.by;
    item.type = typeOf(v, older);
    if (item.type === 'changed' && v.entry && older?.entry) {
      const to = await bodyOf(v, v.entry.value);
      const from = await bodyOf(older, older.entry.value);
      const turn = stage(call);
      if (turn) await turn;
      item.changes = changesOf(resource, from, to) as unknown as Json[];
    }
    items.push(item);
  }
  return items;
}

/** Versions that have left history leave a row that was changed by nobody knows what. */
function typeOf(v: Version, older: Version | undefined): 'created' | 'changed' | 'deleted' {
  if (v.entry === null) return 'deleted';
  if (older) return older.entry?.facts.uid === v.entry.facts.uid ? 'changed' : 'created';
  return (v.entry.created as Revision) === v.revision ? 'created' : 'changed';
}

function changesOf(resource: Resource, from: JsonObject, to: JsonObject): FieldChange[] {
  const isSecret = resource.key === 'secrets';
  return fieldChanges(from, to).map((c) => {
    const hide = isSecret && SECRET_FIELDS.test(c.path);
    const out: FieldChange = { path: c.path };
    if (c.from !== undefined) out.from = hide ? HIDDEN : cut(c.from);
    if (c.to !== undefined) out.to = hide ? HIDDEN : cut(c.to);
    return out;
  });
}

const HIDDEN = '***';
/** Where a Secret's values stand, the copies that tools keep among it. */
const SECRET_FIELDS = /^\.(data|stringData)\b|^\.metadata\.annotations(\[|$)/;

/** The object without what every write changes. */
function shownOf(body: Json): JsonObject {
  if (!isObject(body)) return {};
  if (!isObject(body.metadata)) return body;
  const { managedFields: _m, ...metadata } = body.metadata;
  if (isObject(metadata.annotations)) {
    // In kubectl apply's copy of the object each change stands a second time.
    const { [LAST_APPLIED]: _l, ...annotations } = metadata.annotations;
    if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
    else delete metadata.annotations;
  }
  return { ...body, metadata };
}

function cut(value: Json): Json {
  const text = typeof value === 'string' ? value : printJson(value);
  return text.length <= VALUE_UNITS ? value : `${text.slice(0, VALUE_UNITS)}...`;
}
