import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { failure } from '../../kube/meta/status.ts';
import type { Sweep } from '../controllers/namespace.ts';
import { loopEffects } from './effects.ts';

const NOW = 1_800_000_000_000;
const env = { now: () => NOW } as Env;

interface Item {
  finalizers?: string[];
  grace?: number;
  phase?: string;
  /** A deletion takes it at once. */
  goes?: boolean;
}
/** An API server with these objects: `pods`, `apps/deployments`. */
function server(objects: Record<string, Item[]>, refuse: Record<string, string> = {}) {
  const asked: string[] = [];
  const ask = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const [, group = '', plural = ''] = /^\/(?:api|apis\/([^/]+))\/[^/]+\/namespaces\/a\/([^/]+)$/.exec(pathname) ?? [];
    const name = group === '' ? plural : `${group}/${plural}`;
    if (request.method === 'DELETE') {
      asked.push(name);
      if (refuse[name]) return Response.json(failure('InternalError', refuse[name]).status, { status: 500 });
      objects[name] = (objects[name] ?? []).filter((i) => !i.goes);
    }
    const items = (objects[name] ?? []).map((i) => ({
      metadata: { name: 'x', ...(i.finalizers ? { finalizers: i.finalizers } : {}) },
      spec: { terminationGracePeriodSeconds: i.grace ?? 0 },
      status: { phase: i.phase ?? 'Running' },
    }));
    return Response.json({ metadata: {}, items });
  };
  const sweep = async (deletedSecondsAgo = 5) =>
    (await loopEffects(() => 'PEM', env).sweepNamespace?.(
      { namespace: 'a', deletedMs: NOW - deletedSecondsAgo * 1000 } as JsonObject,
      ask,
    )) as Sweep;
  return { asked, sweep };
}

describe('a sweep of a namespace', () => {
  it('asks for the deletion of what there is and of nothing else, pods first', async () => {
    const s = server({ configmaps: [{ goes: true }], 'apps/deployments': [{ goes: true }], pods: [{ goes: true }] });
    assert.deepEqual(await s.sweep(), { remaining: {}, finalizers: {}, errors: [], podsFirst: false, at: NOW });
    assert.equal(s.asked[0], 'pods');
    assert.deepEqual([...s.asked].sort(), ['apps/deployments', 'configmaps', 'pods']);
  });

  it('touches nothing but pods while pods end', async () => {
    const s = server({ configmaps: [{ goes: true }], pods: [{ grace: 30 }, { goes: true }] });
    assert.deepEqual(await s.sweep(), {
      remaining: { 'pods.': 1 },
      finalizers: {},
      errors: [],
      podsFirst: true,
      at: NOW,
    });
    assert.deepEqual(s.asked, ['pods']);
  });

  it('counts what stands, and what finalizers hold', async () => {
    const s = server({
      secrets: [{ finalizers: ['x/a', 'x/b'] }, { finalizers: ['x/a'] }],
      'apps/deployments': [{ finalizers: ['x/a'] }],
    });
    const found = await s.sweep();
    assert.deepEqual(found.remaining, { 'secrets.': 2, 'deployments.apps': 1 });
    assert.deepEqual(found.finalizers, { 'x/a': 3, 'x/b': 1 });
    assert.deepEqual(found.errors, []);
  });

  const leftover = 'unexpected items still remain in namespace: a for gvr: /v1, Resource=pods';
  const table: { what: string; pods: Item[]; after: number; errors: string[] }[] = [
    { what: 'within its grace period', pods: [{ grace: 30 }], after: 29, errors: [] },
    { what: 'past its grace period', pods: [{ grace: 30 }], after: 30, errors: [leftover] },
    {
      what: 'that has ended, whatever its grace period',
      pods: [{ grace: 30, phase: 'Failed' }],
      after: 5,
      errors: [leftover],
    },
    { what: 'past its grace period with a finalizer', pods: [{ grace: 30, finalizers: ['x'] }], after: 60, errors: [] },
  ];
  for (const { what, pods, after, errors } of table)
    it(`${errors.length > 0 ? 'complains of' : 'waits for'} a pod ${what}`, async () => {
      assert.deepEqual((await server({ pods: [...pods] }).sweep(after)).errors, errors);
    });

  it('goes on where something can not be deleted, and tells why', async () => {
    const s = server({ configmaps: [{}], secrets: [{ goes: true }] }, { configmaps: 'boom' });
    const found = await s.sweep();
    assert.deepEqual(found.errors, ['boom']);
    assert.ok(s.asked.includes('secrets'));
  });
});

describe('the scale of an object of any kind', () => {
  const served = { resources: [{ name: 'fleets', kind: 'Fleet' }] as JsonObject[] };
  const scale = { metadata: { uid: 'u' }, spec: { replicas: 4 } };
  const input = { apiVersion: 'e.io/v1', kind: 'Fleet', namespace: 'a', name: 'f' };
  const scaled = { resources: [...served.resources, { name: 'fleets/scale', kind: 'Scale' }] };
  const table: [what: string, answers: Record<string, JsonObject>, is: JsonObject | string][] = [
    [
      'is its replicas',
      { '/apis/e.io/v1': scaled, '/apis/e.io/v1/namespaces/a/fleets/f/scale': scale },
      { uid: 'u', replicas: 4 },
    ],
    ['is nothing where it is not there', { '/apis/e.io/v1': scaled }, {}],
    [
      'is an error where its kind has none',
      { '/apis/e.io/v1': served },
      'fleets.e.io does not implement the scale subresource',
    ],
    ['is an error where nobody knows the kind', {}, 'no matches for kind "Fleet" in version "e.io/v1"'],
  ];
  for (const [what, answers, is] of table)
    it(what, async () => {
      const ask = async (request: Request): Promise<Response> => {
        const found = answers[new URL(request.url).pathname];
        return Response.json(found ?? { message: 'not there' }, { status: found ? 200 : 404 });
      };
      const { scale: effect } = loopEffects(() => 'PEM', env);
      if (typeof is === 'string') await assert.rejects(async () => effect?.(input, ask), { message: is });
      else assert.deepEqual(await effect?.(input, ask), is);
    });
});
