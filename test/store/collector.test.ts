import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { garbagecollector } from '../../workers/controllers/garbagecollector.ts';
import { type LoopCluster, loopCluster } from './loops.ts';

// The garbage collector over the API's whole chain; cases of kubernetes test/integration/garbagecollector and test/e2e/apimachinery/garbage_collector.go.

type Ref = { kind: string; name: string; uid: string; block?: boolean };
class Cluster {
  readonly #c: LoopCluster;
  constructor(c: LoopCluster) {
    this.#c = c;
  }
  get b() {
    return this.#c.b;
  }
  get looks(): number {
    return this.#c.asked.length;
  }
  rows() {
    return this.#c.rows();
  }
  /** Rounds, each with a minute between. */
  settle(rounds?: number): Promise<void> {
    return this.#c.settle(rounds);
  }
  async make(
    plural: string,
    kind: string,
    name: string,
    owners: Ref[] = [],
    metadata: JsonObject = {},
    at = 'namespaces/default/',
  ): Promise<Ref> {
    const ownerReferences = owners.map((o) => ({
      apiVersion: 'v1',
      kind: o.kind,
      name: o.name,
      uid: o.uid,
      ...(o.block ? { blockOwnerDeletion: true } : {}),
    }));
    const body = { apiVersion: 'v1', kind, metadata: { name, ownerReferences, ...metadata } } as JsonObject;
    const done = await this.b.ask('POST', `/api/v1/${at}${plural}`, body);
    assert.equal(done.code, 201, done.text);
    return { kind, name, uid: String(done.body.metadata.uid) };
  }
  map(name: string, owners: Ref[] = [], metadata: JsonObject = {}): Promise<Ref> {
    return this.make('configmaps', 'ConfigMap', name, owners, metadata);
  }
  async delete(name: string, propagationPolicy = 'Background'): Promise<void> {
    const done = await this.b.ask('DELETE', `/api/v1/namespaces/default/configmaps/${name}`, { propagationPolicy });
    assert.ok(done.code < 300, done.text);
  }
  async names(): Promise<string[]> {
    return (await this.rows())
      .filter((e) => /^(configmaps|secrets)\//.test(e.key))
      .map((e) => e.key.replace(/^.*\//, ''));
  }
  async owners(name: string): Promise<string[]> {
    const { body } = await this.b.ask('GET', `/api/v1/namespaces/default/configmaps/${name}`);
    return ((body.metadata.ownerReferences ?? []) as { name: string }[]).map((r) => r.name);
  }
  async waiting(): Promise<string[]> {
    return (await this.rows()).filter((e) => e.key.startsWith('garbage/')).map((e) => e.key);
  }
}
const cluster = async () => new Cluster(await loopCluster([garbagecollector]));

describe('what a deletion leaves to the garbage collector', () => {
  it('nothing, where nobody has the object as an owner', async () => {
    const c = await cluster();
    await c.map('a');
    await c.map('b');
    await c.delete('a');
    await c.settle();
    assert.deepEqual([await c.names(), c.looks], [['b'], 0]);
  });
  it('dependents, and theirs', async () => {
    const c = await cluster();
    const a = await c.map('a');
    const b = await c.map('b', [a]);
    await c.map('c', [b]);
    await c.map('d');
    await c.delete('a');
    await c.settle();
    assert.deepEqual([await c.names(), await c.waiting()], [['d'], []]);
  });
  it('many, page by page', async () => {
    const c = await cluster();
    const a = await c.map('a');
    for (let i = 0; i < 120; i++) await c.map(`b${i}`, [a]);
    await c.delete('a');
    await c.settle();
    assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
  });
  it('one with another owner loses the reference alone', async () => {
    const c = await cluster();
    const [a, b] = [await c.map('a'), await c.map('b')];
    await c.map('c', [a, b]);
    await c.delete('a');
    await c.settle();
    assert.deepEqual([await c.names(), await c.owners('c')], [['b', 'c'], ['b']]);
  });
  it('one with finalizers stays as long as they do', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b', [a], { finalizers: ['x.test/y'] });
    await c.delete('a');
    await c.settle();
    const { body } = await c.b.ask('GET', '/api/v1/namespaces/default/configmaps/b');
    assert.ok(body.metadata.deletionTimestamp);
    assert.deepEqual(await c.waiting(), []);
  });
});

describe('a deletion that orphans', () => {
  it('takes the references away, then the object', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b', [a]);
    await c.delete('a', 'Orphan');
    assert.deepEqual(await c.names(), ['a', 'b']);
    await c.settle();
    assert.deepEqual([await c.names(), await c.owners('b'), await c.waiting()], [['b'], [], []]);
  });
});

describe('a deletion in the foreground', () => {
  it('waits for dependents that block', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b', [{ ...a, block: true }], { finalizers: ['x.test/y'] });
    await c.delete('a', 'Foreground');
    await c.settle();
    assert.deepEqual(await c.names(), ['a', 'b']);
    await c.b.ask(
      'PATCH',
      '/api/v1/namespaces/default/configmaps/b',
      { metadata: { finalizers: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await c.settle();
    assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
  });
  it('does not wait for those that do not', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b', [a], { finalizers: ['x.test/y'] });
    await c.delete('a', 'Foreground');
    await c.settle();
    assert.deepEqual(await c.names(), ['b']);
  });
  it('goes down to dependents of dependents, which go first', async () => {
    const c = await cluster();
    const a = await c.map('a');
    const b = await c.map('b', [{ ...a, block: true }]);
    await c.map('c', [{ ...b, block: true }]);
    await c.delete('a', 'Foreground');
    await c.settle();
    assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
  });
  it('takes the waiting owner off one with another owner', async () => {
    const c = await cluster();
    const [a, b] = [await c.map('a'), await c.map('b')];
    await c.map('c', [{ ...a, block: true }, b]);
    await c.delete('a', 'Foreground');
    await c.settle();
    assert.deepEqual([await c.names(), await c.owners('c')], [['b', 'c'], ['b']]);
  });
  it('is not held by a circle', async () => {
    const c = await cluster();
    const a = await c.map('a');
    const b = await c.map('b', [{ ...a, block: true }]);
    const d = await c.map('d', [{ ...b, block: true }]);
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'd', uid: d.uid, blockOwnerDeletion: true }];
    await c.b.ask(
      'PATCH',
      '/api/v1/namespaces/default/configmaps/a',
      { metadata: { ownerReferences } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await c.delete('a', 'Foreground');
    await c.settle(12);
    assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
  });
});

describe('an object made for an owner', () => {
  const table: { what: string; owner(c: Cluster): Promise<Ref>; at?: string; names: string[]; looks: number }[] = [
    { what: 'that is there stays, and nobody looks', owner: (c) => c.map('a'), names: ['a', 'b'], looks: 0 },
    {
      what: 'that is not there goes',
      owner: async () => ({ kind: 'ConfigMap', name: 'a', uid: 'gone' }),
      names: [],
      looks: 1,
    },
    {
      what: 'of the same name and another uid goes',
      owner: async (c) => ({ ...(await c.map('a')), uid: 'former' }),
      names: ['a'],
      looks: 1,
    },
    {
      what: 'in another namespace goes',
      owner: (c) => c.make('configmaps', 'ConfigMap', 'a', [], {}, 'namespaces/other/'),
      names: ['a'],
      looks: 1,
    },
    {
      what: 'that is cluster-wide stays',
      owner: (c) => c.make('namespaces', 'Namespace', 'a', [], {}, ''),
      names: ['b'],
      looks: 0,
    },
  ];
  for (const { what, owner, names, looks } of table)
    it(what, async () => {
      const c = await cluster();
      await c.map('b', [await owner(c)]);
      await c.settle();
      assert.deepEqual([await c.names(), c.looks, await c.waiting()], [names, looks, []]);
    });
});

it('what a loop makes for an owner that went while it was about to goes too', async () => {
  const c = await cluster();
  const a = await c.map('a');
  const { epoch } = await c.b.store.grant('loop', 'me', 600_000);
  await c.delete('a');
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: a.uid, controller: true };
  const body = JSON.stringify({ metadata: { name: 'b', ownerReferences: [ref] } });
  const request = new Request('https://test.example/api/v1/namespaces/default/configmaps', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const user = { name: 'loop', groups: ['system:masters'] };
  const done = await c.b.api.handle(request, c.b.cluster, { user, fence: { lease: 'loop', epoch } });
  assert.equal(done.status, 201);
  await c.settle();
  assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
});

describe('an object that comes to have an owner later', () => {
  const own = async (c: Cluster, owner: Ref) => {
    const ref = { apiVersion: 'v1', kind: owner.kind, name: owner.name, uid: owner.uid };
    const patch = { metadata: { ownerReferences: [ref] } };
    const path = '/api/v1/namespaces/default/configmaps/b';
    const done = await c.b.ask('PATCH', path, patch, { 'content-type': 'application/merge-patch+json' });
    assert.equal(done.code, 200, done.text);
  };
  it('goes where that one is not there', async () => {
    const c = await cluster();
    await c.map('b');
    await own(c, { kind: 'ConfigMap', name: 'a', uid: 'gone' });
    await c.settle();
    assert.deepEqual([await c.names(), await c.waiting()], [[], []]);
  });
  it('stays where it is, and nobody looks; nor when it is written again', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b');
    await own(c, a);
    await own(c, a);
    await c.settle();
    assert.deepEqual([await c.names(), c.looks], [['a', 'b'], 0]);
  });
});

describe('a Lease, which is in another store than its owner', () => {
  const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const lease = async (c: Cluster, owner: Ref) => {
    const ref = { apiVersion: 'v1', kind: owner.kind, name: owner.name, uid: owner.uid };
    const done = await c.b.ask('POST', LEASES, { metadata: { name: 'l', ownerReferences: [ref] }, spec: {} });
    assert.equal(done.code, 201, done.text);
  };
  const isThere = async (c: Cluster) => (await c.b.ask('GET', `${LEASES}/l`)).code === 200;
  const shadows = async (c: Cluster) => (await c.rows()).filter((e) => e.key.startsWith('~')).length;

  it('goes with it, and nothing is left of what stood for it', async () => {
    const c = await cluster();
    const a = await c.map('a');
    await c.map('b', [a]);
    await lease(c, a);
    assert.equal(await shadows(c), 1);
    await c.settle(2);
    assert.ok(await isThere(c));
    await c.delete('a');
    await c.settle();
    assert.deepEqual([await isThere(c), await c.names(), await c.waiting(), await shadows(c)], [false, [], [], 0]);
  });
  it('goes where the owner is not there', async () => {
    const c = await cluster();
    await lease(c, { kind: 'ConfigMap', name: 'a', uid: 'gone' });
    await c.settle();
    assert.deepEqual([await isThere(c), await c.waiting()], [false, []]);
  });
  it('of a node leaves nothing in the main store', async () => {
    const c = await cluster();
    await lease(c, await c.make('nodes', 'Node', 'n', [], {}, ''));
    assert.equal(await shadows(c), 0);
  });
});
