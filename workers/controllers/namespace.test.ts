import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult } from '../../kube/reconcile/controller.ts';
import { namespace, type Sweep } from './namespace.ts';
import { ago, type Given, NOW, planFor, printed } from './testing/view.ts';

function going(more: { finalizers?: string[]; conditions?: JsonObject[]; deleted?: number } = {}): Given {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'a', uid: 'u', resourceVersion: '7', deletionTimestamp: ago(more.deleted ?? 4) },
    spec: { finalizers: more.finalizers ?? ['kubernetes'] },
    status: { phase: 'Terminating', ...(more.conditions ? { conditions: more.conditions } : {}) },
  } as unknown as Given;
}
const swept = (round: number, more: Partial<Sweep> = {}): Record<string, EffectResult> => {
  const value: Sweep = { remaining: {}, finalizers: {}, errors: [], podsFirst: false, at: NOW, ...more };
  return { [`sweep/${round}`]: { ok: true, value } };
};
const sweep = (round: number, deleted = 4) => ({
  id: `sweep/${round}`,
  name: 'sweepNamespace',
  input: { namespace: 'a', deletedMs: NOW - deleted * 1000 },
});
const WELL = [
  'NamespaceDeletionDiscoveryFailure False ResourcesDiscovered: All resources successfully discovered',
  'NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions: All legacy kube types successfully parsed',
  'NamespaceDeletionContentFailure False ContentDeleted: All content successfully deleted, may be waiting on finalization',
  'NamespaceContentRemaining False ContentRemoved: All content successfully removed',
  'NamespaceFinalizersRemaining False ContentHasNoFinalizers: All content-preserving finalizers finished',
];
/** The conditions that a plan writes, as `type status reason: message`. */
function told(of: Given, results: Record<string, EffectResult>): string[] {
  const [write] = planFor(namespace, [of], { results }).writes;
  assert.ok(write?.do === 'update' && write.subresource === 'status');
  assert.equal((write.object.status as JsonObject).phase, 'Terminating');
  const found = (write.object.status as unknown as { conditions: Record<string, string>[] }).conditions;
  return found.map((c) => `${c.type} ${c.status} ${c.reason}: ${c.message}`);
}
/** What it is told when all of that has been written before. */
function written(results: Record<string, EffectResult>): JsonObject[] {
  const [write] = planFor(namespace, [going()], { results }).writes;
  return write?.do === 'update' ? ((write.object.status as JsonObject).conditions as JsonObject[]) : [];
}

describe('a namespace', () => {
  it('that stays is left alone', () => {
    const active = { ...going(), metadata: { name: 'a' }, status: { phase: 'Active' } } as Given;
    assert.deepEqual(planFor(namespace, [active]), { writes: [] });
  });
  it('that somebody else finalizes is left alone', () => {
    assert.deepEqual(planFor(namespace, [going({ finalizers: ['other'] })]), { writes: [] });
    assert.deepEqual(planFor(namespace, [going({ finalizers: [] })]), { writes: [] });
  });
  it('that goes is emptied first', () => {
    assert.deepEqual(planFor(namespace, [going()]), { writes: [], effects: [sweep(1)] });
  });
  it('that is empty is let go of, and other finalizers stay', () => {
    const plan = planFor(namespace, [going()], { results: swept(1) });
    assert.deepEqual(printed(plan), ['update namespaces/a finalize']);
    const conditions = written(swept(1, { errors: ['x'] })).map((c) => ({ ...c }));
    const both = going({ finalizers: ['a/b', 'kubernetes'], conditions });
    const news = planFor(namespace, [both], { results: swept(2) });
    assert.deepEqual(printed(news), ['update namespaces/a status'], 'first the news for those who wait');
    const [status] = news.writes;
    assert.ok(status?.do === 'update');
    const [write] = planFor(namespace, [status.object as Given], { results: swept(2) }).writes;
    assert.ok(write?.do === 'update' && write.subresource === 'finalize');
    assert.deepEqual((write.object.spec as JsonObject).finalizers, ['a/b']);
    assert.equal(write.object.metadata.resourceVersion, '7');
  });
  it('whose sweep could not be made is swept anew, a second later', () => {
    const results = { 'sweep/3': { ok: false, error: 'the lease is gone' } } as const;
    assert.deepEqual(planFor(namespace, [going()], { results }), { writes: [], again: 1_000 });
  });
});

describe('the conditions tell', () => {
  const table: { what: string; found: Partial<Sweep>; is: Record<number, string> }[] = [
    {
      what: 'what remains and what holds it, sorted',
      found: {
        remaining: { 'secrets.': 1, 'deployments.apps': 10, 'configmaps.': 2 },
        finalizers: { 'x/z': 2, 'x/a': 11 },
      },
      is: {
        3: 'NamespaceContentRemaining True SomeResourcesRemain: Some resources are remaining: configmaps. has 2 resource instances, deployments.apps has 10 resource instances, secrets. has 1 resource instances',
        4: 'NamespaceFinalizersRemaining True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: x/a in 11 resource instances, x/z in 2 resource instances',
      },
    },
    { what: 'nothing of pods that end', found: { remaining: { 'pods.': 2 }, podsFirst: true }, is: {} },
    {
      what: 'what could not be deleted, sorted',
      found: { errors: ['b went wrong', 'a went wrong'] },
      is: {
        2: 'NamespaceDeletionContentFailure True ContentDeletionFailed: Failed to delete all resource types, 2 remaining: a went wrong, b went wrong',
      },
    },
  ];
  for (const { what, found, is } of table)
    it(what, () =>
      assert.deepEqual(
        told(going(), swept(1, found)),
        WELL.map((text, i) => is[i] ?? text),
      ),
    );

  it('when they changed: only where the status did; and those of others stay', () => {
    const before = written(swept(1, { remaining: { 'secrets.': 2 } })).map((c) => ({
      ...c,
      lastTransitionTime: ago(90),
    })) as Record<string, string>[];
    const of = going({ conditions: [{ type: 'Mine', status: 'True' }, ...before] });
    const [write] = planFor(namespace, [of], {
      results: swept(2, { errors: ['no'], remaining: { 'secrets.': 1 } }),
    }).writes;
    assert.ok(write?.do === 'update');
    const after = (write.object.status as unknown as { conditions: Record<string, string>[] }).conditions;
    assert.deepEqual(
      after.map((c) => `${c.type} ${c.lastTransitionTime ?? ''}`),
      ['Mine ', ...before.map((c) => `${c.type} ${c.type === 'NamespaceDeletionContentFailure' ? ago(0) : ago(90)}`)],
    );
  });
});

describe('the next look', () => {
  const found = { remaining: { 'secrets.': 1 }, finalizers: { x: 1 } };
  const conditions = written(swept(1, found));
  const table: { what: string; deleted: number; later: number; again: number | undefined }[] = [
    { what: 'comes after a second at first', deleted: 2, later: 0, again: 1_000 },
    { what: 'is not brought forward by a change', deleted: 2, later: 400, again: 600 },
    { what: 'comes later the longer it takes', deleted: 20, later: 0, again: 5_000 },
    { what: 'comes after 8.5 seconds at last', deleted: 3_600, later: 0, again: 8_500 },
    { what: 'is due', deleted: 20, later: 5_000, again: undefined },
  ];
  for (const { what, deleted, later, again } of table)
    it(what, () => {
      const plan = planFor(namespace, [going({ conditions, deleted })], { results: swept(4, found), now: NOW + later });
      const want =
        again === undefined
          ? { writes: [], effects: [sweep(5, deleted)] }
          : { writes: [], effects: [sweep(4, deleted)], again };
      assert.deepEqual(plan, want);
    });
});
