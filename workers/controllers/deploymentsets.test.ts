import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { deployment } from './deployment.ts';
import { sameTemplate } from './deploymentsets.ts';
import { type DeploymentIn, foo, setOf, template } from './testing/deployments.ts';
import { conditionOf, plan, status, written } from './testing/plans.ts';
import { ago, type Given, planFor, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/deployment expect.

describe('the first ReplicaSet', () => {
  const of = (o: DeploymentIn = {}, more: Parameters<typeof planFor>[2] = {}, ...others: Given[]) =>
    planFor(
      deployment,
      [foo({ replicas: 2, ...o, spec: { progressDeadlineSeconds: 600, ...o.spec } }), ...others],
      more,
    );
  it('is named after a hash of the template, which is a label of all that it makes', () => {
    const set = written(
      of({ metadata: { annotations: { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' } } }),
      'ReplicaSet',
    );
    const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
    assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
    assert.deepEqual(set, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `foo-${hash}`,
        namespace: 'default',
        labels: { app: 'foo', 'pod-template-hash': hash },
        annotations: {
          note: 'x',
          'deployment.kubernetes.io/revision': '1',
          'deployment.kubernetes.io/desired-replicas': '2',
          'deployment.kubernetes.io/max-replicas': '2',
        },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'foo',
            uid: 'foo',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: 2,
        minReadySeconds: 0,
        selector: { matchLabels: { app: 'foo', 'pod-template-hash': hash } },
        template: { ...template('v1'), metadata: { labels: { app: 'foo', 'pod-template-hash': hash } } },
      },
    });
  });
  it('is told of, in an Event and in the status', () => {
    const made = of();
    const name = written(made, 'ReplicaSet')?.metadata.name;
    const w = made.writes[0];
    assert.equal(w?.do === 'create' && w.note?.message, `Scaled up replica set ${name} from 0 to 2`);
    assert.deepEqual(
      [conditionOf(made, 'Progressing')?.reason, conditionOf(made, 'Progressing')?.message],
      ['NewReplicaSetCreated', `Created new replica set "${name}"`],
    );
    assert.equal(written(made, 'Deployment')?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  });
  it('has a name of at most 253 characters', () => {
    const name = written(of({ metadata: { name: 'n'.repeat(250) } }), 'ReplicaSet')?.metadata.name ?? '';
    assert.ok(name.length <= 253 && name.startsWith('n'.repeat(240)), String(name.length));
  });
  it('gets another name where that one is taken, by one collision more', () => {
    const name = written(of(), 'ReplicaSet')?.metadata.name ?? '';
    const other = setOf('x', { replicas: 1, owner: 'other', metadata: { name } });
    const made = of({}, {}, other);
    assert.deepEqual(printed(made), ['update deployments.apps/default/foo status']);
    assert.equal(status(made)?.collisionCount, 1);
    const next = written(of({ status: { collisionCount: 1 } }, {}, other), 'ReplicaSet')?.metadata.name ?? '';
    assert.notEqual(next, name);
  });
  it('that is refused is told of in the status before it is tried again', () => {
    const made = of({}, { failure: 'quota' });
    assert.deepEqual(printed(made), ['update deployments.apps/default/foo status']);
    const c = conditionOf(made, 'Progressing');
    assert.deepEqual([c?.status, c?.reason], ['False', 'ReplicaSetCreateError']);
    assert.match(c?.message ?? '', /^Failed to create new replica set "foo-.*": quota$/);
    const again = of({ status: { conditions: [c] as never } }, { failure: 'quota' });
    assert.match(printed(again)[0] ?? '', /^create replicasets/);
  });
  it('is not made while the Deployment goes away, or is paused', () => {
    assert.equal(written(of({ metadata: { deletionTimestamp: ago(1) } }), 'ReplicaSet'), undefined);
    const paused = of({ spec: { paused: true } });
    assert.equal(written(paused, 'ReplicaSet'), undefined);
    assert.equal(conditionOf(paused, 'Progressing')?.reason, 'DeploymentPaused');
  });
  it('goes on with its deadline anew when the pause ends', () => {
    const conditions = [{ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }] as never;
    const made = plan(
      foo({ replicas: 3, unavailable: 1, spec: { progressDeadlineSeconds: 60 }, status: { conditions } }),
      setOf('v1', { replicas: 3, available: 0, actual: 0, desired: 3 }),
    );
    assert.equal(conditionOf(made, 'Progressing')?.reason, 'DeploymentResumed');
  });
});

describe('revisions', () => {
  const of = (o: DeploymentIn, ...sets: Given[]) => plan(foo({ replicas: 1, unavailable: 1, ...o }), ...sets);
  const annotations = (p: Plan) => written(p, 'ReplicaSet')?.metadata.annotations ?? {};
  it('an older ReplicaSet that is used again is the newest, and remembers what it was', () => {
    const made = of(
      { version: 'v1' },
      setOf('v1', { replicas: 0, revision: '1', age: 900 }),
      setOf('v2', { replicas: 1, desired: 1, revision: '2' }),
    );
    assert.equal(annotations(made)['deployment.kubernetes.io/revision'], '3');
    assert.equal(annotations(made)['deployment.kubernetes.io/revision-history'], '1');
  });
  it('it remembers all of them, up to 2,000 characters', () => {
    const history = Array.from({ length: 500 }, (_, i) => String(100 + i)).join(',');
    const made = of(
      { version: 'v1' },
      setOf('v1', {
        replicas: 0,
        revision: '700',
        age: 900,
        annotations: { 'deployment.kubernetes.io/revision-history': history },
      }),
      setOf('v2', { replicas: 1, desired: 1, revision: '701' }),
    );
    const now = annotations(made)['deployment.kubernetes.io/revision-history'] ?? '';
    assert.ok(now.length <= 2000 && now.endsWith(',599,700') && !now.startsWith('100,'), now.slice(0, 20));
  });
  it('a newer number than the others is kept', () => {
    const made = of(
      { version: 'v1', metadata: { annotations: { 'deployment.kubernetes.io/revision': '9' } } },
      setOf('v1', { replicas: 1, desired: 1, max: 1, revision: '9' }),
      setOf('v0', { replicas: 0, revision: '2', age: 900 }),
    );
    assert.deepEqual(annotations(made), {});
  });
  it('the wish of old clients to roll back is done and forgotten', () => {
    const rollback = { annotations: { 'deprecated.deployment.rollback.to': '1', note: 'second' } };
    const made = of(
      { version: 'v2', metadata: rollback },
      setOf('v1', { replicas: 0, revision: '1', age: 900, annotations: { note: 'first' } }),
      setOf('v2', { replicas: 1, desired: 1, revision: '2' }),
    );
    const d = written(made, 'Deployment');
    assert.deepEqual(d?.metadata.annotations, { note: 'first', 'deployment.kubernetes.io/revision': '2' });
    assert.deepEqual((d?.spec as JsonObject | undefined)?.template, template('v1'));
    assert.equal(made.notes?.[0]?.message, 'Rolled back deployment "foo" to revision 1');
  });
  const wishes: { what: string; to: string; sets: Given[]; says: string }[] = [
    {
      what: 'to one that is not there',
      to: '7',
      sets: [setOf('v2', { replicas: 1, desired: 1, revision: '2' })],
      says: 'Unable to find the revision to rollback to.',
    },
    {
      what: 'to the last, of which there is none',
      to: '0',
      sets: [setOf('v2', { replicas: 1, desired: 1, revision: '1' })],
      says: 'Unable to find last revision.',
    },
    {
      what: 'to what is there',
      to: '2',
      sets: [setOf('v2', { replicas: 1, desired: 1, revision: '2' })],
      says: 'The rollback revision contains the same template as current deployment "foo"',
    },
  ];
  for (const t of wishes)
    it(`a wish to go back ${t.what} is forgotten`, () => {
      const made = of(
        { version: 'v2', metadata: { annotations: { 'deprecated.deployment.rollback.to': t.to } } },
        ...t.sets,
      );
      assert.equal(made.notes?.[0]?.message, t.says);
      assert.equal(written(made, 'Deployment')?.metadata.annotations?.['deprecated.deployment.rollback.to'], undefined);
    });
});

describe('whether two templates are the same (TestEqualIgnoreHash)', () => {
  const of = (labels: JsonObject | undefined, spec: JsonObject = {}, annotations?: JsonObject): JsonObject => ({
    metadata: { ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
    spec,
  });
  const hash = (v: string) => ({ 'pod-template-hash': v });
  const volume = (v: JsonObject) => ({ volumes: [{ name: 'a', ...v }] });
  const table: { what: string; a: JsonObject; b: JsonObject; is: boolean }[] = [
    { what: 'the same labels, no hash', a: of({ x: '1' }), b: of({ x: '1' }), is: true },
    { what: 'a hash in one', a: of({ ...hash('v'), x: '1' }), b: of({ x: '1' }), is: true },
    { what: 'other hashes', a: of({ ...hash('v'), x: '1' }), b: of({ ...hash('w'), x: '1' }), is: true },
    { what: 'nothing but hashes', a: of(hash('v')), b: of(undefined), is: true },
    { what: 'no metadata in one', a: of(hash('v')), b: { spec: {} }, is: true },
    { what: 'another label', a: of({ ...hash('v'), x: '1' }), b: of({ ...hash('w'), x: '2' }), is: false },
    { what: 'a label more', a: of({ x: '1' }), b: of({ x: '1', y: '2' }), is: false },
    { what: 'labels in one', a: of(undefined), b: of({ x: '1' }), is: false },
    { what: 'another annotation', a: of({}, {}, { x: '1' }), b: of({}, {}, { x: '2' }), is: false },
    { what: 'an annotation with a hash’s name', a: of({}, { a: 'b' }), b: of({}, { a: 'c' }), is: false },
    { what: 'an empty list in one', a: of({}, { tolerations: [] }), b: of({}), is: true },
    { what: 'a time that is null in one', a: { metadata: { creationTimestamp: null } }, b: {}, is: true },
    { what: 'a list of others', a: of({}, { tolerations: [{}] }), b: of({}), is: false },
    { what: 'lists in another order', a: of({}, { l: ['a', 'b'] }), b: of({}, { l: ['b', 'a'] }), is: false },
    { what: 'an empty volume source in one', a: of({}, volume({ emptyDir: {} })), b: of({}, volume({})), is: false },
  ];
  for (const t of table)
    it(t.what, () => assert.deepEqual([sameTemplate(t.a, t.b), sameTemplate(t.b, t.a)], [t.is, t.is]));
});
