import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject } from '../kube/meta/json.ts';
import { StoreError } from '../kube/store/store.ts';
import { bench } from './testing.ts';

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const cm = (name: string, data: Record<string, string> = { a: 'b' }) => ({ metadata: { name }, data });

test('a created object can be read, listed, replaced and deleted', async () => {
  const b = await bench();
  const created = await b.ask('POST', CONFIGMAPS, cm('one'));
  assert.equal(created.code, 201);
  assert.equal(created.body.kind, 'ConfigMap');
  assert.equal(created.body.metadata.namespace, 'default');
  const got = await b.ask('GET', `${CONFIGMAPS}/one`);
  assert.deepEqual(got.body, created.body);
  const put = await b.ask('PUT', `${CONFIGMAPS}/one`, { ...got.body, data: { a: 'c' } });
  assert.equal(put.code, 200);
  assert.equal(put.body.metadata.uid, got.body.metadata.uid);
  const list = await b.ask('GET', CONFIGMAPS);
  assert.equal(list.body.kind, 'ConfigMapList');
  const items = list.body.items as { kind?: string; data: unknown }[];
  assert.deepEqual([items.length, items[0]?.kind, items[0]?.data], [1, undefined, { a: 'c' }]);
  const gone = await b.ask('DELETE', `${CONFIGMAPS}/one`);
  assert.deepEqual(gone.body, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'one', kind: 'configmaps', uid: got.body.metadata.uid },
  });
  assert.equal((await b.ask('GET', `${CONFIGMAPS}/one`)).code, 404);
});

test('a cluster under a path of its endpoint has all of its own paths there', async () => {
  const b = await bench();
  const prefix = '/clusters/x';
  b.cluster.pathAt = `https://test.example${prefix}`.length;
  const found: [string, string][] = [
    ['', 'paths'],
    ['/', 'paths'],
    ['/api?timeout=32s', 'versions'],
    ['/api/', 'versions'],
    ['/apis/apps/v1', 'resources'],
    ['/version', 'gitVersion'],
    ['/openapi/v3', 'paths'],
    [CONFIGMAPS, 'items'],
    [`${CONFIGMAPS}?limit=1`, 'items'],
  ];
  for (const [path, member] of found) {
    const { code, body } = await b.ask('GET', prefix + path);
    assert.deepEqual([path, code, member in body], [path, 200, true]);
  }
});

test('a list whose first pages are empty, small or large is one list', async () => {
  for (const size of [10, 100_000]) {
    const b = await bench();
    for (const name of ['one', 'two', 'three']) await b.ask('POST', CONFIGMAPS, cm(name, { a: 'x'.repeat(size) }));
    const { read } = b.store;
    let pages = 0;
    // Empty pages come from selectors that pass over many rows.
    b.store.read = async (range, o = {}) => {
      const page = await read.call(b.store, range, { ...o, limit: 1 });
      if (!page.ok || range.from !== 'configmaps/default/' || pages++ > 0) return page;
      return { ...page, entries: [], count: 0, next: range.from, ...(page.items ? { items: [] } : {}) };
    };
    const { body } = await b.ask('GET', CONFIGMAPS);
    const names = (body.items as { metadata: { name: string } }[]).map((i) => i.metadata.name);
    assert.deepEqual([names, pages], [['one', 'three', 'two'], 4]);
  }
});

test('an overloaded store is 429 with Retry-After, and nothing is tried again', async () => {
  const b = await bench();
  let commits = 0;
  b.store.commit = async () => {
    commits++;
    throw new StoreError('overloaded', 'too many writes are waiting');
  };
  const { code, body, headers } = await b.ask('POST', CONFIGMAPS, cm('one'));
  assert.deepEqual([code, body.reason, headers.get('retry-after'), commits], [429, 'TooManyRequests', '1', 1]);
});

test('a store without room on its disk is 507, at once where clients heed Retry-After, and nothing is tried again', async () => {
  const b = await bench();
  let commits = 0;
  b.store.commit = async () => {
    commits++;
    throw new StoreError('full', 'the disk has no room');
  };
  const { code, body, headers } = await b.ask('POST', CONFIGMAPS, cm('one'));
  assert.deepEqual([code, body.reason, headers.get('retry-after'), commits], [507, undefined, null, 1]);
});

test('an update that changes nothing writes nothing', async () => {
  const b = await bench();
  const { body } = await b.ask('POST', CONFIGMAPS, cm('one'), { 'user-agent': 'x' });
  b.world.pass(5000);
  const again = await b.ask('PUT', `${CONFIGMAPS}/one`, body, { 'user-agent': 'x' });
  assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
});

// method, path, body, code, message.
const REFUSED: [string, string, object | string | undefined, number, string][] = [
  ['GET', `${CONFIGMAPS}/none`, undefined, 404, 'configmaps "none" not found'],
  ['GET', '/api/v1/nothings', undefined, 404, 'the server could not find the requested resource'],
  ['POST', CONFIGMAPS, cm('have'), 409, 'configmaps "have" already exists'],
  [
    'POST',
    CONFIGMAPS,
    { metadata: { name: 'x', namespace: 'other' } },
    400,
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  [
    'POST',
    CONFIGMAPS,
    { apiVersion: 'v2', metadata: { name: 'x' } },
    400,
    'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme "pkg/runtime/scheme.go:111"',
  ],
  [
    'PUT',
    `${CONFIGMAPS}/have`,
    cm('other'),
    400,
    'the name of the object (other) does not match the name on the URL (have)',
  ],
  [
    'PUT',
    `${CONFIGMAPS}/have`,
    { ...cm('have'), metadata: { name: 'have', resourceVersion: '1' } },
    409,
    'Operation cannot be fulfilled on configmaps "have": the object has been modified; please apply your changes to the latest version and try again',
  ],
  [
    'PUT',
    `${CONFIGMAPS}/have`,
    { metadata: { name: 'have', uid: 'u' } },
    409,
    'Operation cannot be fulfilled on configmaps "have": StorageError: invalid object, Code: 4, Key: /registry/configmaps/default/have, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: u, UID in object meta: UID',
  ],
  ['PUT', `${CONFIGMAPS}/none`, cm('none'), 404, 'configmaps "none" not found'],
  [
    'POST',
    '/api/v1/namespaces/default/pods/x/nothing',
    cm('x'),
    404,
    'the server could not find the requested resource',
  ],
  ['PUT', CONFIGMAPS, cm('x'), 405, 'the server does not allow this method on the requested resource'],
  ['GET', '/api/v1/pods?fieldSelector=spec.foo%3D1', undefined, 400, 'field label not supported: spec.foo'],
  [
    'GET',
    '/apis/events.k8s.io/v1/events?fieldSelector=source%3Da',
    undefined,
    400,
    'field label not supported: source',
  ],
  [
    'GET',
    '/api/v1/events?fieldSelector=regarding.name%3Da',
    undefined,
    400,
    'field label not supported: regarding.name',
  ],
  [
    'GET',
    `${CONFIGMAPS}?continue=x`,
    undefined,
    400,
    'invalid continue token: continue key is not valid: illegal base64 data at input byte 0',
  ],
  [
    'GET',
    '/api/v1/pods?resourceVersion=99&resourceVersionMatch=NotOlderThan',
    undefined,
    504,
    'Timeout: Too large resource version: 99, current: 3',
  ],
];
test('requests are refused in the words of upstream', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('have'));
  for (const [method, path, body, code, message] of REFUSED) {
    const r = await b.ask(method, path, body as never);
    const said = String(r.body?.message).replace(/[0-9a-f-]{36}/, 'UID');
    assert.deepEqual([r.code, said], [code, message], `${method} ${path}`);
  }
});

test('unknown and duplicate fields warn, are refused or are dropped, as asked', async () => {
  const b = await bench();
  const text = '{"metadata":{"name":"x"},"data":{"a":"1"},"foo":1,"data":{"a":"2"}}';
  const warned = await b.ask('POST', `${CONFIGMAPS}?dryRun=All`, text);
  assert.equal(warned.code, 201);
  assert.match(
    warned.headers.get('warning') ?? '',
    /299 - "duplicate field \\"data\\"", 299 - "unknown field \\"foo\\""/,
  );
  assert.equal(warned.body.foo, undefined);
  const strict = await b.ask('POST', `${CONFIGMAPS}?fieldValidation=Strict`, text);
  assert.deepEqual(
    [strict.code, strict.body.message],
    [
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data", unknown field "foo"',
    ],
  );
  const ignored = await b.ask('POST', `${CONFIGMAPS}?fieldValidation=Ignore`, text);
  assert.deepEqual([ignored.code, ignored.headers.get('warning')], [201, null]);
});

test('a dry run answers as the real thing and stores nothing', async () => {
  const b = await bench();
  const dry = await b.ask('POST', `${CONFIGMAPS}?dryRun=All`, cm('x'));
  assert.deepEqual([dry.code, dry.body.metadata.resourceVersion], [201, undefined]);
  assert.equal((await b.ask('GET', `${CONFIGMAPS}/x`)).code, 404);
  await b.ask('POST', CONFIGMAPS, cm('y'));
  assert.equal((await b.ask('DELETE', `${CONFIGMAPS}/y?dryRun=All`)).code, 200);
  assert.equal((await b.ask('GET', `${CONFIGMAPS}/y`)).code, 200);
});

test('generated names are tried again when they are taken', async () => {
  const b = await bench();
  const r = await b.ask('POST', CONFIGMAPS, { metadata: { generateName: 'a-' } });
  assert.equal(r.code, 201);
  assert.match(String(r.body.metadata.name), /^a-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('a list in chunks goes on where it stopped, at one revision', async () => {
  const b = await bench();
  for (const n of ['a', 'b', 'c', 'd', 'e']) await b.ask('POST', CONFIGMAPS, cm(n));
  const first = await b.ask('GET', `${CONFIGMAPS}?limit=2`);
  const { metadata } = first.body;
  assert.deepEqual([metadata.remainingItemCount, metadata.resourceVersion], [3, '7']);
  await b.ask('DELETE', `${CONFIGMAPS}/d`);
  const names: unknown[] = [];
  let token = String(metadata.continue);
  for (;;) {
    const next = await b.ask('GET', `${CONFIGMAPS}?limit=2&continue=${token}`);
    assert.equal(next.body.metadata.resourceVersion, '7');
    for (const i of next.body.items as { metadata: { name: string } }[]) names.push(i.metadata.name);
    if (next.body.metadata.continue === undefined) break;
    token = String(next.body.metadata.continue);
  }
  assert.deepEqual(names, ['c', 'd', 'e']);
});

test('a continue token whose revision is gone is a 410 with a token that goes on', async () => {
  const b = await bench();
  for (const n of ['a', 'b', 'c']) await b.ask('POST', CONFIGMAPS, cm(n));
  const first = await b.ask('GET', `${CONFIGMAPS}?limit=1`);
  await b.ask('POST', CONFIGMAPS, cm('d'));
  await b.store.compact(6);
  const gone = await b.ask('GET', `${CONFIGMAPS}?limit=9&continue=${first.body.metadata.continue}`);
  assert.deepEqual([gone.code, gone.body.reason], [410, 'Expired']);
  const rest = await b.ask('GET', `${CONFIGMAPS}?limit=9&continue=${gone.body.metadata.continue}`);
  assert.deepEqual(
    (rest.body.items as { metadata: { name: string } }[]).map((i) => i.metadata.name),
    ['b', 'c', 'd'],
  );
});

test('labels and names select', async () => {
  const b = await bench();
  for (const n of ['a', 'b', 'c']) await b.ask('POST', CONFIGMAPS, { metadata: { name: n, labels: { x: n } } });
  const names = async (query: string) =>
    ((await b.ask('GET', `${CONFIGMAPS}?${query}`)).body.items as { metadata: { name: string } }[]).map(
      (i) => i.metadata.name,
    );
  assert.deepEqual(await names('labelSelector=x%20in%20(a,c)'), ['a', 'c']);
  assert.deepEqual(await names('fieldSelector=metadata.name%3Db'), ['b']);
  assert.deepEqual(await names('fieldSelector=metadata.name!%3Db'), ['a', 'c']);
});

test('finalizers hold a deleted object until the last is gone', async () => {
  const b = await bench();
  const held = { metadata: { name: 'x', finalizers: ['example.com/f'] } };
  await b.ask('POST', CONFIGMAPS, held);
  const deleted = await b.ask('DELETE', `${CONFIGMAPS}/x`);
  assert.equal(deleted.body.kind, 'ConfigMap');
  assert.equal(deleted.body.metadata.deletionTimestamp, '2026-11-21T12:00:00Z');
  assert.equal(deleted.body.metadata.deletionGracePeriodSeconds, 0);
  const patch = { 'content-type': 'application/merge-patch+json' };
  const more = await b.ask(
    'PATCH',
    `${CONFIGMAPS}/x`,
    { metadata: { finalizers: ['example.com/f', 'example.com/g'] } },
    patch,
  );
  assert.equal(more.code, 422);
  const freed = await b.ask('PATCH', `${CONFIGMAPS}/x`, { metadata: { finalizers: null } }, patch);
  assert.equal(freed.code, 200);
  assert.equal((await b.ask('GET', `${CONFIGMAPS}/x`)).code, 404);
});

test('propagation becomes the finalizer that the garbage collector takes away', async () => {
  const b = await bench();
  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ] as const) {
    await b.ask('POST', CONFIGMAPS, cm(policy.toLowerCase()));
    const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: policy };
    const r = await b.ask('DELETE', `${CONFIGMAPS}/${policy.toLowerCase()}`, options);
    assert.deepEqual([r.code, r.body.metadata.finalizers], [200, [finalizer]]);
  }
});

test('preconditions of a deletion are kept', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('x'));
  const r = await b.ask('DELETE', `${CONFIGMAPS}/x`, { preconditions: { uid: 'u' } });
  assert.equal(r.code, 409);
  assert.match(
    String(r.body.message),
    /on ConfigMap "x": the UID in the precondition \(u\) does not match the UID in record/,
  );
});

test('a collection is deleted by selector', async () => {
  const b = await bench();
  for (const n of ['a', 'b', 'c'])
    await b.ask('POST', CONFIGMAPS, { metadata: { name: n, labels: { x: n === 'b' ? '1' : '2' } } });
  const r = await b.ask('DELETE', `${CONFIGMAPS}?labelSelector=x%3D2`);
  assert.deepEqual([r.code, r.body.kind, (r.body.items as unknown[]).length], [200, 'ConfigMapList', 2]);
  assert.equal(((await b.ask('GET', CONFIGMAPS)).body.items as unknown[]).length, 1);
});

test('discovery, health and version answer', async () => {
  const b = await bench();
  const list = await b.ask('GET', '/apis/apps/v1');
  const names = (list.body.resources as { name: string }[]).map((r) => r.name);
  assert.ok(names.includes('deployments') && names.includes('deployments/scale'));
  assert.equal((await b.ask('GET', '/version')).body.gitVersion, 'v1.37.1');
  assert.equal((await b.ask('GET', '/readyz')).text, 'ok');
  assert.equal((await b.ask('GET', '/nothing')).text, '404 page not found\n');
  const accept = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };
  const all = await b.ask('GET', '/apis', undefined, accept);
  assert.equal(all.body.kind, 'APIGroupDiscoveryList');
  const again = await b.ask('GET', '/apis', undefined, { ...accept, 'if-none-match': all.headers.get('etag') ?? '' });
  assert.equal(again.code, 304);
});

test('every answer has its Audit-ID and is not cached; the client may choose the id', async () => {
  const b = await bench();
  const r = await b.ask('GET', `${CONFIGMAPS}/none`, undefined, { 'audit-id': 'mine' });
  assert.deepEqual([r.headers.get('audit-id'), r.headers.get('cache-control')], ['mine', 'no-cache, private']);
});

test('an error of ours says nothing of its cause', async () => {
  const b = await bench({
    admission: [
      {
        name: 'Broken',
        handles: () => true,
        validate: () => {
          throw new TypeError('secret detail');
        },
      },
    ],
  });
  const r = await b.ask('POST', CONFIGMAPS, cm('x'));
  assert.equal(r.code, 500);
  assert.ok(!r.text.includes('secret detail'));
  assert.ok(isObject(r.body) && r.body.reason === 'InternalError');
});

test('an object that is too large gives up its managed fields first', async () => {
  const b = await bench();
  const pod = (name: string, bytes: number) =>
    b.ask('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'i', args: ['x'.repeat(bytes)] }] },
    });
  const most = 1.5 * 1024 * 1024 - 1000;
  const kept = await pod('a', most);
  assert.deepEqual([kept.code, kept.body.metadata.managedFields], [201, undefined]);
  const over = await pod('b', most + 1000);
  assert.deepEqual([over.code, over.body.message], [500, 'etcdserver: request is too large']);
});
