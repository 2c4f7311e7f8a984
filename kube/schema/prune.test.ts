import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from '../meta/json.ts';
import { canonicalBase64 } from './base64.ts';
import { decode, emptyObject } from './prune.ts';
import { schemas } from './schemas.ts';

const read = (group: string, kind: string, value: Json) => {
  const struct = schemas.kind({ group, version: 'v1', kind });
  assert.ok(struct);
  return decode(struct, value);
};
const pod = (spec: Json, rest: JsonObject = {}) => read('', 'Pod', { apiVersion: 'v1', kind: 'Pod', spec, ...rest });
const container = (c: JsonObject) => pod({ containers: [{ name: 'a', ...c }] });

test('wrong types are told in the words of Go', () => {
  const at = 'json: cannot unmarshal';
  const cases: [decoded: { error: string }, error: string][] = [
    [pod({ containers: 'x' }), `${at} string into Go struct field PodSpec.spec.containers of type []v1.Container`],
    [pod({ containers: [5] }), `${at} number into Go struct field PodSpec.spec.containers of type v1.Container`],
    [pod([5]), `${at} array into Go struct field Pod.spec of type v1.PodSpec`],
    [pod({ hostNetwork: 'true' }), `${at} string into Go struct field PodSpec.spec.hostNetwork of type bool`],
    [
      container({ imagePullPolicy: 5 }),
      `${at} number into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy`,
    ],
    [
      container({ ports: [{ containerPort: 1.5 }] }),
      `${at} number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32`,
    ],
    [
      container({ resources: { limits: { cpu: 'x y' } } }),
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      container({ resources: { limits: 5 } }),
      `${at} number into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList`,
    ],
    [pod({ nodeSelector: { a: 5 } }), `${at} number into Go struct field PodSpec.spec.nodeSelector of type string`],
    [
      pod({ volumes: [{ emptyDir: 5 }] }),
      `${at} number into Go struct field Volume.spec.volumes.VolumeSource.emptyDir of type v1.EmptyDirVolumeSource`,
    ],
    [
      pod({ activeDeadlineSeconds: 9223372036854775808n }),
      `${at} number 9223372036854775808 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64`,
    ],
    [
      pod({}, { metadata: { creationTimestamp: 'x' } }),
      'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
    ],
    [
      read('admissionregistration.k8s.io', 'MutatingAdmissionPolicyBinding', {
        spec: { matchResources: { resourceRules: [{ apiVersions: [[]] }] } },
      }),
      `${at} array into Go struct field NamedRuleWithOperations.spec.matchResources.resourceRules.RuleWithOperations.Rule.apiVersions of type string`,
    ],
    [
      pod({ hostNetwork: 5 }, { metadata: { annotations: { a: null } } }),
      `${at} number into Go struct field PodSpec.spec.hostNetwork of type bool`,
    ],
    [read('', 'ConfigMap', { binaryData: { b: '!!' } }), 'illegal base64 data at input byte 0'],
  ];
  for (const [decoded, error] of cases) assert.equal(decoded.error, error);
});

test('unknown fields are dropped and named in document order', () => {
  const d = pod({ foo: 1, containers: [{ name: 'a', bar: { x: 1 } }], zed: null });
  assert.equal(d.error, '');
  assert.deepEqual(d.unknown, [
    'unknown field "spec.foo"',
    'unknown field "spec.containers[0].bar"',
    'unknown field "spec.zed"',
  ]);
  assert.deepEqual(d.value.spec, { containers: [{ name: 'a', resources: {} }] });
});

test('names are case-sensitive', () => {
  assert.deepEqual(pod({ Containers: [] }).unknown, ['unknown field "spec.Containers"']);
});

test('the result is what Go would write', () => {
  const cases: [given: Json, written: Json][] = [
    [{ containers: null }, { containers: null }],
    [{ containers: [], nodeSelector: {}, tolerations: [], hostNetwork: false, nodeName: '' }, { containers: [] }],
    [{ containers: [], replicas: undefined as unknown as Json }, { containers: [] }],
    [
      { terminationGracePeriodSeconds: 0, containers: [], hostUsers: null },
      { containers: [], terminationGracePeriodSeconds: 0 },
    ],
    [
      { containers: [{ resources: { limits: { cpu: 0.5, memory: '1024Ki' } } }] },
      { containers: [{ name: '', resources: { limits: { cpu: '500m', memory: '1Mi' } } }] },
    ],
  ];
  for (const [given, written] of cases) assert.deepEqual(pod(given).value.spec, written);
  assert.deepEqual(emptyObject(schemas.struct('io.k8s.api.apps.v1.Deployment') as never), {
    metadata: {},
    spec: { selector: null, template: { metadata: {}, spec: { containers: null } }, strategy: {} },
    status: {},
  });
});

test('times become UTC and the zero time is absent', () => {
  const meta = (m: JsonObject) => pod({ containers: [] }, { metadata: m }).value.metadata;
  assert.deepEqual(meta({ creationTimestamp: '2020-01-01T02:00:00+02:00' }), {
    creationTimestamp: '2020-01-01T00:00:00Z',
  });
  assert.deepEqual(meta({ creationTimestamp: null }), {});
  assert.deepEqual(meta({ creationTimestamp: '0001-01-01T00:00:00Z' }), {});
});

test('integers outside 2^53 survive', () => {
  const d = pod({ containers: [], activeDeadlineSeconds: 9223372036854775807n });
  assert.equal(d.error, '');
  assert.equal((d.value.spec as JsonObject).activeDeadlineSeconds, 9223372036854775807n);
});

test('keys that JavaScript finds special are plain keys', () => {
  const d = read('', 'ConfigMap', JSON.parse('{"data":{"__proto__":"x","constructor":"y"}}') as Json);
  assert.equal(JSON.stringify(d.value), '{"metadata":{},"data":{"__proto__":"x","constructor":"y"}}');
  assert.deepEqual(pod(JSON.parse('{"__proto__":{"x":1},"containers":[]}') as Json).unknown, [
    'unknown field "spec.__proto__"',
  ]);
});

test('a schema inside a CustomResourceDefinition is read as upstream reads it', () => {
  const d = read('apiextensions.k8s.io', 'CustomResourceDefinition', {
    spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: { properties: { a: { items: { type: 5 } } } } } }] },
  });
  assert.equal(
    d.error,
    'json: cannot unmarshal number into Go struct field JSONSchemaProps.spec.versions.schema.openAPIV3Schema.properties.items.type of type string',
  );
});

test('base64 is read leniently and written strictly', () => {
  const cases: [text: string, canonical: string | null][] = [
    ['', ''],
    ['YQ==', 'YQ=='],
    ['YR==', 'YQ=='],
    ['Y\nQ==\r\n', 'YQ=='],
    ['YQ', null],
    ['YQ=', null],
    ['Y-Q=', null],
    ['====', null],
  ];
  for (const [text, canonical] of cases) assert.equal(canonicalBase64(text), canonical, text);
});
