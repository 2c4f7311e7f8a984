import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { data, HASH, labels, node, plan, pod, present, revision, set, status } from './testing/daemons.ts';
import { type Given, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/daemon expect.

describe('the history (constructHistory, cleanupHistory)', () => {
  const one = [node('n'), pod('a', { on: 'n' })];
  const of = (ds: Given, ...others: Given[]) =>
    printed(plan(ds, ...others, ...one)).filter((t) => t.includes('controllerrevisions'));
  it('a template that is new gets the next number', () => {
    const p = plan(set(), revision('old', 'v0', 5), ...one);
    const w = p.writes.find((x) => x.do === 'create');
    const object = w?.do === 'create' ? w.object : undefined;
    const hash = object?.metadata.labels?.['controller-revision-hash'];
    assert.deepEqual([object?.revision, object?.data, object?.metadata.name], [6, data('v1'), `ds-${hash}`]);
  });
  it('one that is known is the newest again', () => {
    const p = plan(set(), present, revision('old', 'v0', 5), ...one);
    const w = p.writes.find((x) => x.do === 'patch');
    assert.deepEqual(w?.do === 'patch' && [w.key, w.patch], [
      'controllerrevisions.apps/default/ds-present',
      { metadata: { uid: 'uid-present' }, revision: 6 },
    ]);
  });
  it('of two that are equal the newer stays, and pods hear of it', () => {
    const p = plan(set(), present, revision('twin', 'v1', 1), node('n'), pod('a', { on: 'n', hash: 'twin' }));
    assert.deepEqual(printed(p).slice(0, 2), [
      'patch pods/default/a',
      'delete controllerrevisions.apps/default/ds-twin',
    ]);
  });
  it('one without a hash is named by its name', () => {
    const bare = revision('bare', 'v0', 1, { labels });
    const w = plan(set(), present, bare, ...one).writes.find((x) => x.do === 'patch');
    assert.deepEqual(w?.do === 'patch' && w.patch, {
      metadata: { uid: 'uid-bare', labels: { 'controller-revision-hash': 'ds-bare' } },
    });
  });
  it('those beyond the limit go, oldest first, but for what pods have', () => {
    const old = ['a', 'b', 'c', 'd'].map((n, i) => revision(n, `old-${n}`, i + 1));
    const limited = set({ spec: { revisionHistoryLimit: 2, updateStrategy: { type: 'OnDelete' } } });
    const newest = revision(HASH, 'v1', 9);
    const gone = printed(plan(limited, newest, ...old, node('n'), pod('p', { on: 'n', hash: 'a' })));
    assert.deepEqual(
      gone.filter((t) => t.startsWith('delete')),
      ['delete controllerrevisions.apps/default/ds-b', 'delete controllerrevisions.apps/default/ds-c'],
    );
  });
  it('a name that another revision has is told as a collision, and another is taken', () => {
    const name = of(set())[0]?.split('/').at(-1)?.slice('ds-'.length) ?? '';
    const other = revision(name, 'other', 1, { ownerReferences: [{ uid: 'other', controller: true }] });
    assert.equal(status(plan(set(), other, ...one))?.collisionCount, 1);
    assert.notEqual(
      of(set({ status: { collisionCount: 1 } }), other)[0],
      `create controllerrevisions.apps/default/ds-${name}`,
    );
  });
});
