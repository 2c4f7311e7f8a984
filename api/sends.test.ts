import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMembers } from '../kube/store/members.ts';
import { PageCache } from '../kube/store/pagecache.ts';
import { PAGE_BYTES } from '../kube/store/store.ts';
import type { ClusterContext } from './attributes.ts';
import { ADMIN, bench } from './testing.ts';

// Memory of lists that are longer than what is kept of them.

const MAPS = '/api/v1/namespaces/default/configmaps';
const OBJECTS = 24;
const FORMS = {
  JSON: 'application/json',
  protobuf: 'application/vnd.kubernetes.protobuf',
  Table: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  YAML: 'application/yaml',
} as const;

/** What reads a list part by part: its text, and how many bytes of the store's pages there still were at most. */
async function setUp(cacheBytes: number) {
  const b = await bench();
  const cache = new PageCache(cacheBytes);
  for (let i = 0; i < OBJECTS; i++)
    await b.ask('POST', MAPS, {
      metadata: { name: `m${String(i).padStart(3, '0')}` },
      data: { k: 'x'.repeat(400_000) },
    });
  return async (accept: string, sends: boolean) => {
    const pages: (readonly Uint8Array[])[] = [];
    const store = withMembers(b.store, {
      async read(range, o) {
        const page = await b.store.read(range, o);
        if (page.ok && page.items) pages.push(page.items);
        return page;
      },
    });
    const cluster: ClusterContext = { ...b.cluster, pages: cache, store: () => store, sends };
    const request = new Request(`https://test.example${MAPS}`, { headers: { accept } });
    const r = await b.api.handle(request, cluster, { user: ADMIN });
    const held = () => pages.flat().reduce((n, p) => n + p.length, 0);
    let most = held();
    let text = '';
    const utf8 = new TextDecoder('latin1');
    for await (const part of r.body as unknown as AsyncIterable<Uint8Array>) {
      text += utf8.decode(part);
      most = Math.max(most, held());
    }
    return { text, most, pages: pages.length };
  };
}

test('a list that is sent whole has all of its pages, however small they are', async () => {
  const b = await bench();
  for (let i = 0; i < 6; i++)
    await b.ask('POST', MAPS, { metadata: { name: `m${i}`, labels: { a: 'b' } }, data: { k: 'x'.repeat(20_000) } });
  // As a selector that matches little makes them.
  const store = withMembers(b.store, { read: (range, o) => b.store.read(range, { ...o, limit: 1 }) });
  const names: string[][] = [];
  for (const alone of [false, true]) {
    const cluster: ClusterContext = { ...b.cluster, store: () => store, sends: true, alone: () => alone };
    const request = new Request(`https://test.example${MAPS}?labelSelector=a%3Db`);
    const { body } = await b.api.handle(request, cluster, { user: ADMIN });
    // As a socket does, which copies each part.
    let text = '';
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(part);
    const { items } = JSON.parse(text) as { items: { metadata: { name: string } }[] };
    names.push(items.map((i) => i.metadata.name));
  }
  const all = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'];
  assert.deepEqual(names, [all, all]);
});

for (const [name, accept] of Object.entries(FORMS)) {
  test(`a long list in ${name} that goes to a client holds three pages at most, whatever its length`, async () => {
    const list = await setUp(1 << 20);
    const whole = await list(accept, false);
    const sent = await list(accept, true);
    assert.ok(sent.pages >= 10, `${sent.pages} pages`);
    assert.ok(whole.most > 8 * PAGE_BYTES, `${whole.most} bytes where nothing is taken back`);
    assert.ok(sent.most <= 3 * PAGE_BYTES, `${sent.most} bytes`);
    assert.equal(sent.text === whole.text, true);
  });

  test(`pages in ${name} that are kept for the next list are left as they are`, async () => {
    const list = await setUp(64 << 20);
    const first = await list(accept, true);
    const again = await list(accept, true);
    assert.equal(again.pages, 0, 'the second came from memory');
    assert.equal(again.text === first.text, true);
  });
}
