import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { atOnce } from '../../kube/meta/atonce.ts';
import { startControlPlane } from './start.ts';

/** Enough that a restore of them is under way when the process is killed. */
const OBJECTS = 3_000;
const AT_ONCE = 32;
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

interface Restore {
  status: { phase: string; revisionBefore: number; revisionAfter?: number; objects: number };
}
interface List {
  metadata: { resourceVersion: string };
  items: { metadata: { name: string; resourceVersion: string }; data?: { v: string } }[];
}

it('a restore that is killed with -9 again and again comes to its end, and nothing half of it is ever seen', async (t) => {
  const workerd = await startControlPlane();
  t.after(() => workerd.stop());
  const clusters = `${workerd.url}/apis/tenancy.coracle.dev/v1/clusters`;
  const operator = { authorization: 'Bearer operator', 'content-type': 'application/json' };
  const made = await fetch(clusters, {
    method: 'POST',
    headers: operator,
    body: JSON.stringify({ metadata: { name: 'x' } }),
  });
  const { url, adminToken } = ((await made.json()) as { status: { url: string; adminToken: string } }).status;
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  const ask = (method: string, path: string, body?: object) =>
    fetch(url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  const all = (f: (i: number) => Promise<Response>) =>
    atOnce(AT_ONCE, Array.from({ length: OBJECTS }).keys(), async (i) => assert.ok((await f(i)).ok));
  const configMap = (i: number, v: string) => ({ metadata: { name: `c${i}` }, data: { v } });
  const list = async (query = '') => (await (await ask('GET', `${CONFIGMAPS}${query}`)).json()) as List;
  /** Names and values of all, as one text. */
  const picture = (l: List) => l.items.map((c) => `${c.metadata.name}=${c.data?.v}`).join(' ');
  const restore = async (init: RequestInit = {}) =>
    (await (await fetch(`${clusters}/x/restore`, { headers: operator, ...init })).json()) as Restore;

  await all((i) => ask('POST', CONFIGMAPS, configMap(i, 'old')));
  const then = await list();
  await all((i) =>
    i % 3 === 0 ? ask('DELETE', `${CONFIGMAPS}/c${i}`) : ask('PUT', `${CONFIGMAPS}/c${i}`, configMap(i, 'new')),
  );
  const before = await list();
  const watch = ask('GET', `${CONFIGMAPS}?watch=1&resourceVersion=${before.metadata.resourceVersion}`);

  const begun = await restore({
    method: 'POST',
    body: JSON.stringify({ spec: { to: then.metadata.resourceVersion } }),
  });
  assert.equal(begun.status.phase, 'Running');
  let kills = 0;
  let seen = 0;
  let now: Restore = begun;
  while (now.status.phase === 'Running') {
    // Taken once the restore is over: of another resource than the lists.
    const refused = await ask('POST', '/api/v1/namespaces/default/secrets', {
      metadata: { generateName: 'meanwhile-' },
    });
    const meanwhile = await list();
    now = await restore();
    if (now.status.phase === 'Running') {
      seen++;
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
      assert.equal(picture(meanwhile), picture(before));
      assert.equal(meanwhile.metadata.resourceVersion, String(begun.status.revisionBefore));
      if (kills < 3) {
        kills++;
        await workerd.restart();
      } else await delay(20);
    }
  }
  assert.ok(kills > 0 && seen > 0, 'the restore was over before it could be killed');
  console.log(`killed ${kills} times, seen under way ${seen} times, ${now.status.objects} objects`);
  assert.equal(now.status.revisionBefore, begun.status.revisionBefore);
  // Loops may have written meanwhile.
  assert.ok(now.status.objects >= OBJECTS);
  assert.equal(now.status.revisionAfter, begun.status.revisionBefore + now.status.objects);
  const after = await list();
  assert.equal(picture(after), picture(then));
  assert.equal(new Set(after.items.map((c) => c.metadata.resourceVersion)).size, after.items.length);

  // Who watched is told to list anew.
  await (await watch).text().catch(() => '');
  const old = await ask('GET', `${CONFIGMAPS}?watch=1&resourceVersion=${before.metadata.resourceVersion}`);
  assert.match(await old.text(), /"type":"ERROR".*"code":410/);
  const past = await list(`?resourceVersion=${before.metadata.resourceVersion}&resourceVersionMatch=Exact`);
  assert.equal(picture(past), picture(before));

  const undone = await restore({ method: 'POST', body: JSON.stringify({ spec: { to: begun.status.revisionBefore } }) });
  assert.ok(undone.status.revisionBefore >= (now.status.revisionAfter ?? Infinity));
  while ((await restore()).status.phase === 'Running') await delay(20);
  assert.equal(picture(await list()), picture(before));
  assert.equal((await ask('POST', CONFIGMAPS, configMap(OBJECTS, 'again'))).status, 201);
});
