import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../kube/meta/json.ts';
import type { User } from './attributes.ts';
import { createAuthorizer } from './authz/index.ts';
import { fieldChanges } from './fieldchanges.ts';
import { ADMIN, type Bench, bench } from './testing.ts';

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
interface Item {
  revision: string;
  time: string;
  user?: string;
  type: string;
  changes?: { path: string; from?: unknown; to?: unknown }[];
}
interface History {
  code: number;
  body: JsonObject & { metadata: { continue?: string } };
  items: Item[];
}
async function history(b: Bench, query: string, user: User = ADMIN): Promise<History> {
  const r = await b.api.history(new Request(`https://test.example/?${query}`), b.cluster, { user });
  const body = (await r.json()) as History['body'];
  return { code: r.status, body, items: (body.items ?? []) as unknown as Item[] };
}
const said = (h: History) => [h.code, h.body.message];

test('the versions of an object tell who changed what, newest first', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a', labels: { 'x/y': '1' } }, data: { k: '1', gone: 'x' } });
  b.world.pass(1_500);
  await b.ask('PUT', `${CONFIGMAPS}/a`, {
    metadata: { name: 'a', labels: { 'x/y': '2' } },
    data: { k: '2', came: 'y' },
  });
  await b.ask('DELETE', `${CONFIGMAPS}/a`);
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a' } });
  const h = await history(b, 'kind=configmaps&name=a&namespace=default');
  assert.deepEqual(h.body.object, { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'a' });
  assert.deepEqual(
    h.items.map((i) => [i.type, i.user, i.changes]),
    [
      ['created', 'admin', undefined],
      ['deleted', 'admin', undefined],
      [
        'changed',
        'admin',
        [
          { path: '.metadata.labels["x/y"]', from: '1', to: '2' },
          { path: '.data.k', from: '1', to: '2' },
          { path: '.data.gone', from: 'x' },
          { path: '.data.came', to: 'y' },
        ],
      ],
      ['created', 'admin', undefined],
    ],
  );
  assert.deepEqual(
    h.items.map((i) => i.time),
    [
      '2026-11-21T12:00:01.500000Z',
      '2026-11-21T12:00:01.500000Z',
      '2026-11-21T12:00:01.500000Z',
      '2026-11-21T12:00:00.000000Z',
    ],
  );
});

test('of an object so large that two versions fill no page, each is told with what it changed', async () => {
  const b = await bench();
  const data = { big: 'x'.repeat(700 * 1024), n: '0' };
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a' }, data });
  for (const n of ['1', '2']) await b.ask('PUT', `${CONFIGMAPS}/a`, { metadata: { name: 'a' }, data: { ...data, n } });
  const told: unknown[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const h = await history(b, `kind=cm&name=a${next === '' ? '' : `&continue=${next}`}`);
    told.push(...h.items.map((i) => [i.type, i.changes]));
    next = h.body.metadata.continue;
  }
  assert.deepEqual(told, [
    ['changed', [{ path: '.data.n', from: '1', to: '2' }]],
    ['changed', [{ path: '.data.n', from: '0', to: '1' }]],
    ['created', undefined],
  ]);
});

test('pages of versions fit together', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a' }, data: { n: '0' } });
  for (let i = 1; i < 5; i++)
    await b.ask(
      'PATCH',
      `${CONFIGMAPS}/a`,
      { data: { n: String(i) } },
      { 'content-type': 'application/merge-patch+json' },
    );
  const whole = await history(b, 'kind=cm&name=a');
  const paged: Item[] = [];
  let pages = 0;
  for (let next: string | undefined = ''; next !== undefined; pages++) {
    const h: History = await history(b, `kind=cm&name=a&limit=2&continue=${next}`);
    paged.push(...h.items);
    next = h.body.metadata.continue;
  }
  assert.deepEqual([paged.length, pages], [5, 3]);
  assert.deepEqual(paged, whole.items);
  assert.deepEqual(
    paged.map((i) => i.changes?.map((c) => c.to)),
    [['4'], ['3'], ['2'], ['1'], undefined],
  );
});

test('values of Secrets are not shown, nor their copies in annotations', async () => {
  const b = await bench();
  const secrets = '/api/v1/namespaces/default/secrets';
  const applied = 'kubectl.kubernetes.io/last-applied-configuration';
  const kept = 'kapp.k14s.io/original';
  const secret = (v: string) => ({
    metadata: { name: 's', labels: { v }, annotations: { [applied]: `secret ${v}`, [kept]: `secret ${v}` } },
    data: { k: btoa(v) },
  });
  await b.ask('POST', secrets, secret('one'));
  await b.ask('PUT', `${secrets}/s`, secret('two'));
  const h = await history(b, 'kind=secret&name=s');
  assert.deepEqual(h.items[0]?.changes, [
    { path: '.metadata.labels.v', from: 'one', to: 'two' },
    { path: `.metadata.annotations["${kept}"]`, from: '***', to: '***' },
    { path: '.data.k', from: '***', to: '***' },
  ]);
});

describe('a kind is named as for kubectl', () => {
  const cases: [name: string, kind: string, found: string | null][] = [
    ['plural', 'deployments', 'apps/v1 Deployment'],
    ['singular', 'deployment', 'apps/v1 Deployment'],
    ['short', 'deploy', 'apps/v1 Deployment'],
    ['capitals', 'Deployment', 'apps/v1 Deployment'],
    ['with a group', 'deployments.apps', 'apps/v1 Deployment'],
    ['with the beginning of a group', 'networkpolicies.networking', 'networking.k8s.io/v1 NetworkPolicy'],
    ['with version and group', 'deploy.v1.apps', 'apps/v1 Deployment'],
    ['the core group before others', 'events', 'v1 Event'],
    ['another group by name', 'events.events.k8s.io', 'events.k8s.io/v1 Event'],
    ['unknown', 'foo', null],
    ['in a group without it', 'pods.apps', null],
    ['without objects', 'tokenreviews', null],
  ];
  for (const [name, kind, found] of cases) {
    test(name, async () => {
      const b = await bench();
      const h = await history(b, `kind=${kind}&name=x`);
      const [, resource, inGroup] = /^([^.]+)\.?(.*)$/.exec(found?.split(' ')[1]?.toLowerCase() ?? '') ?? [];
      assert.equal(h.code, 404);
      if (found === null) assert.equal(h.body.message, `the server doesn't have a resource type "${kind}"`);
      else assert.match(String(h.body.message), new RegExp(`^${resource?.slice(0, -1)}.*${inGroup} "x" not found$`));
    });
  }
});

test('who may not get the object gets no history, and an object that never was is not found', async () => {
  const b = await bench({ authorizers: [createAuthorizer()] });
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a' } });
  const jane = { name: 'jane', groups: ['system:authenticated'] };
  const denied = (name: string) =>
    `configmaps "${name}" is forbidden: User "jane" cannot get resource "configmaps" in API group "" in the namespace "default"`;
  assert.deepEqual(said(await history(b, 'kind=cm&name=a', jane)), [403, denied('a')]);
  assert.deepEqual(said(await history(b, 'kind=cm&name=absent', jane)), [403, denied('absent')]);
  assert.deepEqual(said(await history(b, 'kind=cm&name=absent')), [404, 'configmaps "absent" not found']);
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  await b.ask('POST', `${rbac}/roles`, {
    metadata: { name: 'r' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['a'], verbs: ['get'] }],
  });
  await b.ask('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
  });
  assert.equal((await history(b, 'kind=cm&name=a', jane)).code, 200);
  assert.equal((await history(b, 'kind=cm&name=absent', jane)).code, 403);
});

test('without a credential there is no history, not even of a kind that does not exist', async () => {
  const b = await bench();
  for (const kind of ['cm', 'foo']) {
    const r = await b.api.history(new Request(`https://test.example/?kind=${kind}&name=a`), b.cluster);
    assert.equal(r.status, 401);
  }
});

test('a version whose predecessor has left history is changed by nobody knows what', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, { metadata: { name: 'a' }, data: { n: '1' } });
  await b.ask('PUT', `${CONFIGMAPS}/a`, { metadata: { name: 'a' }, data: { n: '2' } });
  await b.store.compact((await b.store.info()).revision);
  const h = await history(b, 'kind=cm&name=a');
  assert.deepEqual(
    h.items.map((i) => [i.type, i.changes]),
    [['changed', undefined]],
  );
});

describe('changes name fields as one reads them', () => {
  const cases: [name: string, from: JsonObject, to: JsonObject, paths: string[]][] = [
    ['nothing', { a: 1, b: [1, { c: null }] }, { a: 1, b: [1, { c: null }] }, []],
    [
      'items by name',
      {
        l: [
          { name: 'a', v: 1 },
          { name: 'b', v: 1 },
        ],
      },
      {
        l: [
          { name: 'b', v: 2 },
          { name: 'a', v: 1 },
        ],
      },
      ['.l[name=b].v'],
    ],
    ['items that come and go', { l: [{ type: 'A' }] }, { l: [{ type: 'B' }] }, ['.l[type=A]', '.l[type=B]']],
    ['items without a key', { l: [{ v: 1 }] }, { l: [{ v: 2 }, { v: 3 }] }, ['.l[0].v', '.l[1]']],
    ['items with one name twice', { l: [{ name: 'a' }, { name: 'a' }] }, { l: [{ name: 'a' }] }, ['.l[1]']],
    ['ports by number', { p: [{ port: 80, n: 1 }] }, { p: [{ port: 80, n: 2 }] }, ['.p[port=80].n']],
    ['another type', { a: {} }, { a: [] }, ['.a']],
    ['the name of a prototype', JSON.parse('{"__proto__":{"a":1}}') as JsonObject, {}, ['.__proto__']],
    ['odd names', { 'a.b/c': 1 }, { 'a.b/c': 2 }, ['["a.b/c"]']],
  ];
  for (const [name, from, to, paths] of cases) {
    test(name, () => {
      assert.deepEqual(
        fieldChanges(from, to).map((c) => c.path),
        paths,
      );
    });
  }
});
