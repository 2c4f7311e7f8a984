import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMembers } from '../kube/store/members.ts';
import { PageCache } from '../kube/store/pagecache.ts';
import type { Page } from '../kube/store/store.ts';
import type { ClusterContext } from './attributes.ts';
import { ADMIN, bench } from './testing.ts';

// Lists whose pages the process has seen before.

const MAPS = '/api/v1/namespaces/default/configmaps';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

async function setUp(bytes = 1 << 20) {
  const b = await bench();
  const sent: Page[] = [];
  const store = withMembers(b.store, {
    async read(range, o) {
      const page = await b.store.read(range, o);
      if (page.ok) sent.push(page);
      return page;
    },
  });
  const kept = new Map<string, Page>();
  class Pages extends PageCache {
    override put(name: string, page: Page) {
      kept.set(name, page);
      super.put(name, page);
    }
  }
  const pages = new Pages(bytes);
  const cluster: ClusterContext = { ...b.cluster, pages, store: () => store };
  const list = async (query = '', accept = 'application/json') => {
    sent.length = 0;
    const request = new Request(`https://test.example${MAPS}${query}`, { headers: { accept } });
    const r = await b.api.handle(request, cluster, { user: ADMIN });
    const body = new Uint8Array(await r.arrayBuffer());
    return { body, text: new TextDecoder().decode(body), same: sent.map((p) => p.same === true), code: r.status };
  };
  const names = (text: string) =>
    (JSON.parse(text) as { items: { metadata: { name: string } }[] }).items.map((i) => i.metadata.name);
  for (const name of ['a', 'b', 'c']) await b.ask('POST', MAPS, { metadata: { name }, data: { k: name } });
  return { b, list, names, pages, kept };
}

test('a list that has not changed is sent from memory, with the revision of now', async () => {
  const { b, list, names } = await setUp();
  const first = await list();
  await b.ask('POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: 'beside' } });
  const again = await list();
  assert.deepEqual([first.same, again.same], [[false], [true]]);
  assert.deepEqual(names(again.text), ['a', 'b', 'c']);
  const revision = (text: string) => Number(/"metadata":\{"resourceVersion":"(\d+)"\}\}\n$/.exec(text)?.[1]);
  assert.equal(revision(again.text), revision(first.text) + 1);
});

test('what came, changed or went since is in the next list, in both forms', async () => {
  const { b, list, names } = await setUp();
  for (const accept of ['application/json', PROTOBUF]) {
    await list('', accept);
    await b.ask('POST', MAPS, { metadata: { name: 'd' } });
    await b.ask('PATCH', `${MAPS}/b`, { data: { k: 'new' } }, { 'content-type': 'application/merge-patch+json' });
    const grown = await list('', accept);
    assert.equal(grown.text.includes('new'), true);
    await b.ask('DELETE', `${MAPS}/d`);
    const { same } = await list('', accept);
    assert.deepEqual([grown.same, same], [[false], [false]]);
    await b.ask('PATCH', `${MAPS}/b`, { data: { k: 'b' } }, { 'content-type': 'application/merge-patch+json' });
  }
  assert.deepEqual(names((await list()).text), ['a', 'b', 'c']);
});

test('the same bytes come from memory in protobuf', async () => {
  const { list } = await setUp();
  const first = await list('', PROTOBUF);
  const again = await list('', PROTOBUF);
  assert.deepEqual([first.same, again.same], [[false], [true]]);
  assert.deepEqual(again.body, first.body);
});

test('pages with a limit continue as they did, and tell how many remain now', async () => {
  const { b, list, names } = await setUp();
  await list('?limit=2');
  await b.ask('POST', MAPS, { metadata: { name: 'z' } });
  const page = await list('?limit=2');
  assert.deepEqual(page.same, [true]);
  const { metadata } = JSON.parse(page.text) as { metadata: { continue: string; remainingItemCount: number } };
  assert.equal(metadata.remainingItemCount, 2);
  const rest = await list(`?limit=2&continue=${metadata.continue}`);
  assert.deepEqual(names(rest.text), ['c', 'z']);
});

test('a page that is sent again is right whatever was sent of it before', async () => {
  const { b, list, names } = await setUp();
  const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const whole = await list('?limit=3');
  const asTable = await list('?limit=3', TABLE);
  assert.equal((JSON.parse(asTable.text) as { rows: unknown[] }).rows.length, 3);
  assert.deepEqual((await list('?limit=3')).body, whole.body);
  await b.ask('POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: 'beside' } });
  const later = await list('?limit=3');
  assert.deepEqual([later.same, names(later.text)], [[true], ['a', 'b', 'c']]);
  assert.notEqual(later.text, whole.text, 'its revision is another');
  assert.deepEqual((await list('?limit=3', TABLE)).same, [true]);
  assert.deepEqual((await list('?limit=3')).body, later.body);
});

/** Three pages of one row each. */
async function setUpPages() {
  const s = await setUp(8 << 20);
  const big = (mark: string) => ({ data: { text: mark.repeat(700_000) } });
  for (const name of ['a', 'b', 'c']) {
    await s.b.ask('PATCH', `${MAPS}/${name}`, big(name), { 'content-type': 'application/merge-patch+json' });
  }
  const change = (name: string, mark: string) =>
    s.b.ask('PATCH', `${MAPS}/${name}`, big(mark), { 'content-type': 'application/merge-patch+json' });
  const marks = (text: string) =>
    (JSON.parse(text) as { items: { data: { text: string } }[] }).items.map((i) => i.data.text[0]).join('');
  return { ...s, change, marks };
}

test('one answer of the store confirms all pages of a list that has not changed, in each form', async () => {
  const { b, list, marks } = await setUpPages();
  for (const accept of ['application/json', PROTOBUF]) {
    const first = await list('', accept);
    assert.deepEqual(first.same, [false, false, false]);
    const again = await list('', accept);
    assert.deepEqual([again.same, again.body.length], [[true], first.body.length]);
    await b.ask('POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: `beside-${accept.length}` } });
    assert.deepEqual((await list('', accept)).same, [true], 'nothing of its range has changed');
  }
  const { text } = await list();
  assert.equal(marks(text), 'abc');
});

test('pages of a list behind or before one that changed are asked for, and right', async () => {
  const { list, change, marks } = await setUpPages();
  await list();
  for (const [name, want, same] of [
    ['b', 'aXc', [true, false, true]],
    ['a', 'XXc', [false, true]],
    ['c', 'XXX', [true, true, false]],
  ] as const) {
    await change(name, 'X');
    const l = await list();
    assert.deepEqual([marks(l.text), l.same], [want, same]);
    assert.deepEqual((await list()).same, [true]);
  }
});

test('a page that has been pushed out of memory is read, beside those that are there', async () => {
  const { b, list, marks, pages, kept } = await setUpPages();
  const { text } = await list();
  const [, second] = kept.keys();
  pages.drop(second ?? '');
  const again = await list();
  assert.deepEqual([again.same, again.text], [[true, false], text]);
  await b.ask('DELETE', `${MAPS}/b`);
  assert.equal(marks((await list()).text), 'ac');
});

test('a list that would take more than half of the memory is not kept', async () => {
  const { list } = await setUp(400);
  await list();
  assert.deepEqual((await list()).same, [false]);
});

test('the parts of a list are longer while no other cluster is there', async () => {
  const b = await bench();
  // A row for each page: a page of more rows is shorter than a part may be.
  for (let i = 0; i < 3; i++) {
    await b.ask('POST', MAPS, { metadata: { name: `c${i}` }, data: { text: 'x'.repeat(700_000) } });
  }
  const longest = async (alone: boolean) => {
    const request = new Request(`https://test.example${MAPS}`);
    const response = await b.api.handle(request, { ...b.cluster, alone: () => alone }, { user: ADMIN });
    let most = 0;
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) most = Math.max(most, part.length);
    return most;
  };
  assert.equal(await longest(false), 256 * 1024);
  assert.equal((await longest(true)) > 700_000, true, 'a page at a time');
});

test('others have their turn between the pages of a list in protobuf, and while a collection is deleted', async () => {
  const b = await bench();
  const many = 60;
  for (let i = 0; i < many; i++) {
    await b.ask('POST', MAPS, { metadata: { name: `c${i}` }, data: { text: 'x'.repeat(50_000) } });
  }
  let turns = 0;
  const turn = async () => {
    turns++;
  };
  const send = (method: string, accept: string) =>
    b.api.handle(
      new Request(`https://test.example${MAPS}`, { method, headers: { accept } }),
      { ...b.cluster, turn },
      { user: ADMIN },
    );
  // Until the head is there nothing of the body has been asked for: these are turns between pages of 1 MiB.
  const list = await send('GET', PROTOBUF);
  assert.ok(turns >= 2, `${turns} turns before the first byte`);
  await list.arrayBuffer();
  turns = 0;
  assert.equal((await send('DELETE', 'application/json')).status, 200);
  assert.ok(turns >= many / 8 - 1, `${turns} turns`);
});

test('a long list gives the thread up before each of its parts, none of which is long', async () => {
  const b = await bench();
  for (let i = 0; i < 60; i++) {
    await b.ask('POST', MAPS, { metadata: { name: `c${i}` }, data: { text: 'x'.repeat(50_000) } });
  }
  for (const accept of ['application/json', PROTOBUF, 'application/yaml']) {
    let turns = 0;
    let paused = 0;
    const turn = async (ms = 0) => {
      turns++;
      if (ms > 0) paused++;
    };
    const request = new Request(`https://test.example${MAPS}`, { headers: { accept } });
    const response = await b.api.handle(request, { ...b.cluster, turn }, { user: ADMIN });
    let parts = 0;
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      assert.ok(part.length <= 256 * 1024, `${accept}: a part of ${part.length} bytes`);
      parts++;
    }
    assert.ok(turns >= parts, `${accept}: ${parts} parts in ${turns} turns`);
    // The thread is left free while somebody else is there.
    assert.ok(paused >= parts, `${accept}: ${parts} parts after ${paused} pauses`);
    assert.ok(parts > 10, `${accept}: ${parts} parts`);
  }
});

test('a collection is deleted whole, read some rows at a time', async () => {
  const b = await bench();
  const all = Array.from({ length: 200 }, (_, i) => `c${String(i).padStart(3, '0')}`);
  for (const name of all) await b.ask('POST', MAPS, { metadata: { name } });
  const read: number[] = [];
  const store = withMembers(b.store, {
    async read(range, o) {
      const page = await b.store.read(range, o);
      if (page.ok) read.push(page.entries.length);
      return page;
    },
  });
  const request = new Request(`https://test.example${MAPS}`, { method: 'DELETE' });
  const r = await b.api.handle(request, { ...b.cluster, store: () => store }, { user: ADMIN });
  const { items } = (await r.json()) as { items: { metadata: { name: string } }[] };
  assert.deepEqual(
    items.map((o) => o.metadata.name),
    all,
  );
  assert.ok(Math.max(...read) <= 64, `${Math.max(...read)} rows in one step`);
  assert.equal(((await b.ask('GET', MAPS)).body.items as unknown[]).length, 0);
});
