import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import { at } from '../meta/object.ts';
import { openApiIndex, openApiV3 } from './openapi.ts';
import { openApiV2 } from './openapi-v2.ts';
import { resourcesOf } from './resources.ts';
import { schemas } from './schemas.ts';

const apps = openApiV3(schemas, 'apps', 'v1', resourcesOf('apps', 'v1').values());
const schemaOf = (doc: JsonObject, name: string) =>
  ((doc.components as JsonObject | undefined)?.schemas as JsonObject | undefined)?.[name] as JsonObject;

test('a schema carries what server-side apply and strategic merge need', () => {
  const spec = schemaOf(apps, 'io.k8s.api.core.v1.PodSpec');
  assert.deepEqual(at(spec, 'properties.containers'), {
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge',
  });
  assert.deepEqual(at(schemaOf(apps, 'io.k8s.api.core.v1.ContainerPort'), 'properties.protocol'), {
    type: 'string',
    enum: ['SCTP', 'TCP', 'UDP'],
    default: 'TCP',
  });
  assert.equal(schemaOf(apps, 'io.k8s.api.core.v1.NodeSelector')['x-kubernetes-map-type'], 'atomic');
});

test('kinds name themselves, references do not', () => {
  assert.deepEqual(schemaOf(apps, 'io.k8s.api.apps.v1.Deployment')['x-kubernetes-group-version-kind'], [
    { group: 'apps', kind: 'Deployment', version: 'v1' },
  ]);
  const core = openApiV3(schemas, '', 'v1', resourcesOf('', 'v1').values());
  assert.equal(schemaOf(core, 'io.k8s.api.core.v1.ObjectReference')['x-kubernetes-group-version-kind'], undefined);
});

test('every reference of a document leads to a schema of it', () => {
  const defined = new Set(Object.keys((apps.components as { schemas: JsonObject }).schemas));
  for (const m of JSON.stringify(apps).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    assert.ok(defined.has(m[1] ?? ''), m[1]);
});

test('patch operations tell kubectl what they support', () => {
  const paths = apps.paths as JsonObject;
  const patch = at(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'], 'patch') as JsonObject;
  assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', version: 'v1', kind: 'Deployment' });
  assert.deepEqual(
    (patch.parameters as JsonObject[]).map((p) => p.name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  assert.ok(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale']);
});

test('descriptions come from outside, for explain', () => {
  const describe = (struct: string, field?: string) =>
    struct.endsWith('.Deployment') ? `${field ?? 'kind'} text` : undefined;
  const doc = openApiV3(schemas, 'apps', 'v1', resourcesOf('apps', 'v1').values(), new Map(), describe);
  const deployment = schemaOf(doc, 'io.k8s.api.apps.v1.Deployment');
  assert.equal(deployment.description, 'kind text');
  assert.equal(at(deployment, 'properties.spec.description'), 'spec text');
});

test('the v2 document has plain references and no v3 keywords', () => {
  const doc = openApiV2('1.37', [apps]);
  const definitions = doc.definitions as JsonObject;
  assert.deepEqual(at(definitions['io.k8s.api.apps.v1.Deployment'], 'properties.spec'), {
    $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentSpec',
  });
  assert.deepEqual(definitions['io.k8s.apimachinery.pkg.api.resource.Quantity'], { type: 'string' });
  assert.doesNotMatch(JSON.stringify(doc), /components\/schemas|"allOf"/);
});

test('the v2 document lists media types as the server registers them', () => {
  const paths = openApiV2('1.37', [apps]).paths as JsonObject;
  const media = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
  const patches = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];
  const item = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
  assert.deepEqual(
    at(item, 'patch.consumes'),
    patches.map((t) => `application/${t}`),
  );
  assert.deepEqual(at(item, 'patch.produces'), media);
  assert.deepEqual(at(item, 'get.consumes'), ['*/*']);
  assert.deepEqual(at(paths['/apis/apps/v1/'], 'get.consumes'), media);
  assert.deepEqual(at(paths['/apis/apps/v1/deployments'], 'get.produces'), [
    ...media,
    'application/json;stream=watch',
    'application/vnd.kubernetes.protobuf;stream=watch',
  ]);
});

test('the index names each document with its hash', () => {
  assert.deepEqual(openApiIndex(new Map([['apis/apps/v1', 'AB']])), {
    paths: { 'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=AB' } },
  });
});
