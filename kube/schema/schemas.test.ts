import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiGroups, findResource, resourceOfKind, resourcesOf, servedByDefault } from './resources.ts';
import type { Struct, Type } from './schema.ts';
import { schemas } from './schemas.ts';

const field = (struct: string, name: string) => {
  const f = schemas.struct(struct)?.fields.get(name);
  assert.ok(f, `${struct}.${name}`);
  return f;
};

/** Every member of `expected` is in `actual`, equal or in turn holding its members. */
function assertHas(actual: unknown, expected: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(expected)) {
    const given = (actual as Record<string, unknown> | undefined)?.[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      assertHas(given, value as Record<string, unknown>);
    else assert.deepEqual(given, value, name);
  }
}

test('kinds are found by group, version and kind', () => {
  const cases: [group: string, version: string, kind: string, struct: string | undefined][] = [
    ['', 'v1', 'Pod', 'io.k8s.api.core.v1.Pod'],
    ['apps', 'v1', 'Deployment', 'io.k8s.api.apps.v1.Deployment'],
    ['rbac.authorization.k8s.io', 'v1', 'Role', 'io.k8s.api.rbac.v1.Role'],
    ['apps', 'v1', 'DeleteOptions', 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'],
    ['', 'v1', 'Status', 'io.k8s.apimachinery.pkg.apis.meta.v1.Status'],
    ['meta.k8s.io', 'v1', 'Table', 'io.k8s.apimachinery.pkg.apis.meta.v1.Table'],
    ['apidiscovery.k8s.io', 'v2', 'APIGroupDiscoveryList', 'io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList'],
    ['meta.k8s.io', 'v1beta1', 'Table', 'io.k8s.apimachinery.pkg.apis.meta.v1.Table'],
    ['policy', 'v1beta1', 'Eviction', 'io.k8s.api.policy.v1beta1.Eviction'],
    ['', 'v1', 'PodSpec', undefined],
    ['apps', 'v2', 'Deployment', undefined],
    ['example.com', 'v1', 'Thing', undefined],
  ];
  for (const [group, version, kind, struct] of cases) {
    assert.equal(schemas.kind({ group, version, kind })?.name, struct, `${group}/${version} ${kind}`);
  }
});

test('facts of a field come from Go, OpenAPI and the proto numbers', () => {
  const containers = field('io.k8s.api.core.v1.PodSpec', 'containers');
  assert.equal(containers.number, 2);
  assert.ok(containers.always && containers.expected && !containers.nullable);
  assertHas(containers.type, {
    is: 'list',
    list: 'map',
    keys: ['name'],
    patch: 'merge',
    mergeKey: 'name',
  });
  assert.equal(field('io.k8s.api.core.v1.ContainerPort', 'protocol').default, 'TCP');
  assert.ok(field('io.k8s.api.core.v1.Probe', 'terminationGracePeriodSeconds').nullable);
  assertHas(field('io.k8s.api.apps.v1.DeploymentSpec', 'strategy').type, {
    is: 'struct',
    patch: 'retainKeys',
  });
  assertHas(field('io.k8s.api.authentication.v1.UserInfo', 'extra').type, {
    is: 'map',
    values: { is: 'list', wrapped: true, items: { is: 'string' } },
  });
  assertHas(field('io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference', 'uid').type, {
    is: 'string',
    go: 'types.UID',
  });
});

test('a field may take back that its type is atomic', () => {
  assertHas(field('io.k8s.api.core.v1.ObjectFieldSelector', 'fieldPath'), { name: 'fieldPath' });
  assertHas(field('io.k8s.api.core.v1.EnvVarSource', 'fieldRef').type, { is: 'struct', atomic: true });
  assert.equal(
    (field('io.k8s.api.core.v1.PersistentVolumeSpec', 'claimRef').type as { atomic?: boolean }).atomic,
    undefined,
  );
});

test('embedded structs are flat in JSON and nested in protobuf', () => {
  const volume = schemas.struct('io.k8s.api.core.v1.Volume');
  const emptyDir = volume?.fields.get('emptyDir');
  assert.equal(emptyDir?.number, 0);
  assert.equal(emptyDir?.via, 2);
  const carrier = volume?.numbers.get(2);
  assert.ok(carrier?.inline && carrier.type.is === 'struct');
  assert.equal(carrier.type.struct().fields.get('emptyDir')?.number, 2);
  assert.equal(schemas.kind({ group: '', version: 'v1', kind: 'Pod' })?.fields.get('kind')?.number, 0);
});

test('every served resource has a shape, whose whole graph resolves', () => {
  const seen = new Set<Struct>();
  const visitType = (t: Type): void => {
    if (t.is === 'struct') visit(t.struct());
    else if (t.is === 'list') visitType(t.items);
    else if (t.is === 'map') visitType(t.values);
  };
  const visit = (s: Struct): void => {
    if (seen.has(s)) return;
    seen.add(s);
    for (const f of s.fields.values()) visitType(f.type);
  };
  for (const { group, versions, disabled } of apiGroups()) {
    for (const version of [...versions, ...disabled]) {
      for (const r of resourcesOf(group, version).values()) {
        for (const kind of [{ group, version, kind: r.kind }, ...[...r.subresources.values()].map((s) => s.kind)]) {
          const s = schemas.kind(kind);
          assert.ok(s, JSON.stringify(kind));
          visit(s);
        }
      }
    }
  }
  assert.ok(seen.size > 600, `${seen.size} structs`);
});

test('resources are those that kube-apiserver serves by default', () => {
  assert.deepEqual(
    apiGroups()
      .slice(0, 4)
      .map((g) => g.group),
    ['', 'apiregistration.k8s.io', 'apps', 'events.k8s.io'],
  );
  assert.deepEqual(apiGroups().find((g) => g.group === 'autoscaling')?.versions, ['v2', 'v1']);
  assert.ok(
    servedByDefault('apps', 'v1') && !servedByDefault('resource.k8s.io', 'v1beta2') && !servedByDefault('apps', 'v9'),
  );
  const deployments = findResource('apps', 'v1', 'deployments');
  assert.deepEqual(deployments?.shortNames, ['deploy']);
  assert.deepEqual(deployments?.subresources.get('scale')?.kind, {
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
  });
  assert.equal(resourceOfKind({ group: '', version: 'v1', kind: 'Node' })?.namespaced, false);
});

test('the hash of a kind is short and stable, and differs between kinds', () => {
  const pod = schemas.hash({ group: '', version: 'v1', kind: 'Pod' });
  assert.match(pod, /^[0-9a-f]{8}$/);
  assert.equal(schemas.hash({ group: '', version: 'v1', kind: 'Pod' }), pod);
  assert.notEqual(schemas.hash({ group: '', version: 'v1', kind: 'Service' }), pod);
});
