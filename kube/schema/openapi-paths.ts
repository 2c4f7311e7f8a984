import type { JsonObject } from '../meta/json.ts';
import { apiVersionOf, type GroupVersionKind } from '../meta/object.ts';
import type { Steps } from '../meta/steps.ts';
import { type Components, PREFIX, refer } from './openapi.ts';
import type { ApiResource, ApiSubresource } from './resources.ts';
import type { Schemas, Struct } from './schema.ts';

// The paths of an OpenAPI v3 document: verbs, parameters and bodies of each resource, as apiserver's installer declares them.

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const MEDIA = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml'];
const CUSTOM_MEDIA = ['application/json', 'application/yaml'];
const WATCH_MEDIA = [
  'application/json',
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf',
  'application/vnd.kubernetes.protobuf;stream=watch',
  'application/yaml',
];

const query = (name: string, type: 'string' | 'integer' | 'boolean'): JsonObject => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});
const pathParameter = (name: string): JsonObject => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
});
const PRETTY = query('pretty', 'string');
const WRITE = ['dryRun', 'fieldManager', 'fieldValidation'].map((n) => query(n, 'string'));
const DELETE = [
  query('dryRun', 'string'),
  query('gracePeriodSeconds', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy', 'string'),
];
const LIST = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue', 'string'),
  query('fieldSelector', 'string'),
  query('labelSelector', 'string'),
  query('limit', 'integer'),
  query('resourceVersion', 'string'),
  query('resourceVersionMatch', 'string'),
  query('sendInitialEvents', 'boolean'),
  query('shardSelector', 'string'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const byName = (a: JsonObject, b: JsonObject) => (String(a.name) < String(b.name) ? -1 : 1);
const DELETE_COLLECTION = [
  ...DELETE,
  ...LIST.filter((p) => p.name !== 'allowWatchBookmarks' && p.name !== 'watch'),
].sort(byName);

/** What all operations of one document share. */
interface Scope {
  schemas: Schemas;
  group: string;
  version: string;
  components: Components;
  custom: ReadonlyMap<string, JsonObject>;
  /** `AppsV1` */
  camel: string;
  tag: string;
}

/** Resources of one step; their subresources come with them. */
const RESOURCES_STEP = 2;
/** The `paths` object of a group and version; schemas that it refers to are queued in `components`. */
export function* operationsOf(
  schemas: Schemas,
  group: string,
  version: string,
  resources: Iterable<ApiResource>,
  custom: ReadonlyMap<string, JsonObject>,
  components: Components,
): Steps<JsonObject> {
  const groupName = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '');
  const camel = `${upper(groupName.replace(/[.-](\w)/g, (_, c: string) => c.toUpperCase()))}${upper(version)}`;
  const tag = `${group === '' ? 'core' : camelLow(groupName)}_${version}`;
  const scope: Scope = { schemas, group, version, components, custom, camel, tag };
  const root = group === '' ? `/api/${version}` : `/apis/${apiVersionOf({ group, version })}`;
  const paths: JsonObject = {
    [`${root}/`]: {
      get: {
        tags: [tag],
        operationId: `get${camel}APIResources`,
        responses: responses(scope, meta(scope, 'APIResourceList'), ['200'], MEDIA),
      },
    },
  };
  let n = 0;
  for (const r of resources) {
    addResource(scope, paths, root, r);
    if (++n % RESOURCES_STEP === 0) yield;
  }
  const out: JsonObject = {};
  for (const p of Object.keys(paths).sort()) out[p] = paths[p];
  return out;
}

const upper = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);
const camelLow = (s: string) => s.replace(/[.-](\w)/g, (_, c: string) => c.toUpperCase());

const meta = (scope: Scope, name: string): JsonObject => {
  const s = scope.schemas.struct(`${META}.${name}`);
  return s ? refer(scope.components, s) : {};
};

/** The schema of a kind: built-in, or given ready for a CustomResource. */
function kindSchema(scope: Scope, gvk: GroupVersionKind): JsonObject {
  const ready = scope.custom.get(gvk.kind);
  if (ready) {
    const name = `${scope.group.split('.').reverse().join('.')}.${gvk.version}.${gvk.kind}`;
    scope.components.schemas.set(name, ready);
    followReferences(scope, ready);
    return { $ref: PREFIX + name };
  }
  const s = scope.schemas.kind(gvk);
  return s ? refer(scope.components, s) : { type: 'object' };
}

/** A ready schema refers to ObjectMeta and ListMeta by name. */
function followReferences(scope: Scope, schema: JsonObject): void {
  for (const m of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(io\.k8s\.[^"]+)"/g)) {
    const s: Struct | undefined = scope.schemas.struct(m[1] ?? '');
    if (s) refer(scope.components, s);
  }
}

/** A request's body; CustomResources are read as JSON and YAML only. */
function body(scope: Scope, schema: JsonObject, required: boolean): JsonObject {
  const content: JsonObject = {};
  for (const type of scope.custom.size > 0 ? CUSTOM_MEDIA : ['*/*']) content[type] = { schema };
  return required ? { content, required } : { content };
}

function responses(scope: Scope, schema: JsonObject, codes: string[], media: string[]): JsonObject {
  const of = scope.custom.size > 0 ? CUSTOM_MEDIA : media;
  const content: JsonObject = {};
  for (const m of of) content[m] = { schema };
  const out: JsonObject = {};
  for (const code of codes) out[code] = { description: DESCRIPTIONS[code] ?? '', content };
  out['401'] = UNAUTHORIZED;
  return out;
}
const UNAUTHORIZED = { description: 'Unauthorized' };
const DESCRIPTIONS: Record<string, string> = { '200': 'OK', '201': 'Created', '202': 'Accepted' };

function addResource(scope: Scope, paths: JsonObject, root: string, r: ApiResource): void {
  const gvk = { group: r.group, version: r.version, kind: r.kind };
  const base = r.namespaced ? `${root}/namespaces/{namespace}/${r.plural}` : `${root}/${r.plural}`;
  const spaces = r.namespaced ? [pathParameter('namespace')] : [];
  const has = (verb: string) => r.verbs.includes(verb);
  const name = `${scope.camel}${r.namespaced ? 'Namespaced' : ''}${r.kind}`;
  const op = (id: string, action: string, rest: JsonObject): JsonObject => ({
    tags: [scope.tag],
    operationId: id,
    ...rest,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { ...gvk },
  });
  const object = () => kindSchema(scope, gvk);
  const collection: JsonObject = {};
  if (has('list')) {
    const list = {
      responses: responses(scope, kindSchema(scope, { ...gvk, kind: `${r.kind}List` }), ['200'], WATCH_MEDIA),
    };
    collection.get = op(`list${name}`, 'list', { parameters: LIST, ...list });
    if (r.namespaced) {
      const everywhere = op(`list${scope.camel}${r.kind}ForAllNamespaces`, 'list', { parameters: LIST, ...list });
      paths[`${root}/${r.plural}`] = pathItem({ get: everywhere }, [PRETTY]);
    }
  }
  if (has('create')) {
    collection.post = op(`create${name}`, 'post', {
      parameters: WRITE,
      requestBody: body(scope, object(), true),
      responses: responses(scope, object(), ['200', '201', '202'], MEDIA),
    });
  }
  if (has('deletecollection')) {
    const id = `delete${scope.camel}Collection${r.namespaced ? 'Namespaced' : ''}${r.kind}`;
    collection.delete = op(id, 'deletecollection', {
      parameters: DELETE_COLLECTION,
      requestBody: body(scope, meta(scope, 'DeleteOptions'), false),
      responses: responses(scope, meta(scope, 'Status'), ['200'], MEDIA),
    });
  }
  if (Object.keys(collection).length > 0) paths[base] = pathItem(collection, [...spaces, PRETTY]);
  const item = itemOperations(scope, r.verbs, name, op, object, r.returnsDeleted === true);
  if (Object.keys(item).length > 0) {
    paths[`${base}/{name}`] = pathItem(item, [pathParameter('name'), ...spaces, PRETTY]);
  }
  if (has('watch')) addWatches(scope, paths, root, r, op);
  for (const s of r.subresources.values()) addSubresource(scope, paths, `${base}/{name}`, r, s, spaces);
}

type MakeOperation = (id: string, action: string, rest: JsonObject) => JsonObject;

function itemOperations(
  scope: Scope,
  verbs: readonly string[],
  name: string,
  op: MakeOperation,
  object: () => JsonObject,
  returnsDeleted = false,
): JsonObject {
  const item: JsonObject = {};
  if (verbs.includes('get')) {
    item.get = op(`read${name}`, 'get', { responses: responses(scope, object(), ['200'], MEDIA) });
  }
  if (verbs.includes('update')) {
    item.put = op(`replace${name}`, 'put', {
      parameters: WRITE,
      requestBody: body(scope, object(), true),
      responses: responses(scope, object(), ['200', '201'], MEDIA),
    });
  }
  if (verbs.includes('delete')) {
    item.delete = op(`delete${name}`, 'delete', {
      parameters: DELETE,
      requestBody: body(scope, meta(scope, 'DeleteOptions'), false),
      responses: responses(scope, returnsDeleted ? object() : meta(scope, 'Status'), ['200', '202'], MEDIA),
    });
  }
  if (verbs.includes('patch')) {
    const content: JsonObject = {};
    for (const type of ['apply-patch+yaml', 'json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json']) {
      if (scope.custom.size > 0 && type.startsWith('strategic')) continue;
      content[`application/${type}`] = { schema: meta(scope, 'Patch') };
    }
    item.patch = op(`patch${name}`, 'patch', {
      parameters: [...WRITE, query('force', 'boolean')],
      requestBody: { content, required: true },
      responses: responses(scope, object(), scope.custom.size > 0 ? ['200'] : ['200', '201'], MEDIA),
    });
  }
  return item;
}

/** The old watch paths, which upstream still publishes. */
function addWatches(scope: Scope, paths: JsonObject, root: string, r: ApiResource, op: MakeOperation): void {
  const out = { responses: responses(scope, meta(scope, 'WatchEvent'), ['200'], WATCH_MEDIA) };
  const all = [...LIST, PRETTY].sort(byName);
  const spaces = r.namespaced ? [pathParameter('namespace')] : [];
  const base = r.namespaced ? `${root}/watch/namespaces/{namespace}/${r.plural}` : `${root}/watch/${r.plural}`;
  const name = `${scope.camel}${r.namespaced ? 'Namespaced' : ''}${r.kind}`;
  const parameters = (extra: JsonObject[]) =>
    [...all.filter((p) => p.name !== 'pretty'), ...extra, PRETTY].sort(byName);
  if (scope.custom.size > 0) return;
  if (r.namespaced) {
    paths[`${root}/watch/${r.plural}`] = {
      get: op(`watch${scope.camel}${r.kind}ListForAllNamespaces`, 'watchlist', out),
      parameters: all,
    };
  }
  if (r.verbs.includes('list')) {
    paths[base] = { get: op(`watch${name}List`, 'watchlist', out), parameters: parameters(spaces) };
  }
  if (r.verbs.includes('get')) {
    paths[`${base}/{name}`] = {
      get: op(`watch${name}`, 'watch', out),
      parameters: parameters([pathParameter('name'), ...spaces]),
    };
  }
}

/** Subresources that upgrade or stream: their verbs are `connect`, their parameters the fields of their kind. */
const CONNECT = new Set(['attach', 'exec', 'portforward', 'proxy']);
const METHODS: Record<string, string> = { create: 'post', get: 'get', update: 'put', patch: 'patch', delete: 'delete' };
const ANSWER_TEXT = { type: 'string' };

function addSubresource(
  scope: Scope,
  paths: JsonObject,
  base: string,
  r: ApiResource,
  s: ApiSubresource,
  spaces: JsonObject[],
): void {
  const name = `${r.namespaced ? 'Namespaced' : ''}${r.kind}${upper(s.name)}`;
  const parameters = [pathParameter('name'), ...spaces];
  const op: MakeOperation = (id, action, rest) => ({
    tags: [scope.tag],
    operationId: id,
    ...rest,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { ...s.kind },
  });
  if (CONNECT.has(s.name)) {
    const methods = s.verbs.map((v) => METHODS[v] ?? v);
    if (s.name === 'proxy') methods.push('head', 'options');
    const options = optionsOf(scope, s.kind);
    const connect = (suffix: string) => {
      const item: JsonObject = {};
      const answer = { '200': { description: 'OK', content: { '*/*': { schema: ANSWER_TEXT } } }, '401': UNAUTHORIZED };
      for (const m of methods) {
        item[m] = op(`connect${scope.camel}${upper(m)}${name}${suffix}`, 'connect', { responses: answer });
      }
      return item;
    };
    paths[`${base}/${s.name}`] = pathItem(connect(''), [...parameters, ...options]);
    if (s.name === 'proxy') {
      paths[`${base}/proxy/{path}`] = pathItem(connect('WithPath'), [...parameters, ...options, pathParameter('path')]);
    }
    return;
  }
  const object = () => kindSchema(scope, s.kind);
  const item = itemOperations(scope, s.verbs, `${scope.camel}${name}`, op, object);
  const extra: JsonObject[] = [];
  if (s.name === 'log') {
    const answer = responses(scope, ANSWER_TEXT, ['200'], ['text/plain', ...MEDIA]);
    item.get = op(`read${scope.camel}${name}`, 'get', { responses: answer });
    extra.push(...optionsOf(scope, { ...s.kind, kind: 'PodLogOptions' }));
  }
  if (s.verbs.includes('create')) {
    item.post = op(`create${scope.camel}${name}`, 'post', {
      parameters: WRITE,
      requestBody: body(scope, object(), true),
      responses: responses(scope, object(), ['200', '201', '202'], MEDIA),
    });
  }
  paths[`${base}/${s.name}`] = pathItem(item, [...parameters, ...extra, PRETTY]);
}

/** The query parameters of an options kind: its fields, but kind and apiVersion. */
function optionsOf(scope: Scope, gvk: GroupVersionKind): JsonObject[] {
  const out: JsonObject[] = [];
  for (const f of scope.schemas.kind(gvk)?.fields.values() ?? []) {
    if (f.name === 'kind' || f.name === 'apiVersion') continue;
    const type = f.type.is === 'list' ? f.type.items : f.type;
    if (type.is === 'string' && type.format) continue;
    out.push(query(f.name, type.is === 'integer' || type.is === 'boolean' ? type.is : 'string'));
  }
  return out;
}

/** A path with its operations: parameters that all of them take stand at the path, sorted by name and kind. */
function pathItem(operations: JsonObject, shared: JsonObject[]): JsonObject {
  const all = Object.values(operations) as JsonObject[];
  const [first, ...others] = all.map((o) => (o.parameters as JsonObject[] | undefined) ?? []);
  const common = (first ?? []).filter((p) => others.every((list) => list.some((q) => q.name === p.name)));
  const item: JsonObject = {};
  for (const method in operations) {
    const { parameters, ...rest } = operations[method] as JsonObject;
    const own = ((parameters as JsonObject[] | undefined) ?? []).filter(
      (p) => !common.includes(p) && !common.some((c) => c.name === p.name),
    );
    item[method] = own.length > 0 ? { ...rest, parameters: own } : rest;
  }
  const place = (p: JsonObject) => `${p.name} ${p.in}`;
  return { ...item, parameters: [...shared, ...common].sort((a, b) => (place(a) < place(b) ? -1 : 1)) };
}
