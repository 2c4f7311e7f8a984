import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { call } from '../../cli/endpoint.ts';
import { waitFor } from '../../cli/server/pid.ts';
import { CLUSTERS, type ClusterObject, createCluster } from '../../cli/tenancy.ts';
import {
  fill,
  items,
  type Kube,
  kubeOf,
  type Listed,
  named,
  type Served,
  startServed,
  type Tenants,
  tenantsOf,
} from './server.ts';

// Fork, backup, restore and time to live, through the command line and the API, on a control plane of its own.

const WAIT_MS = 90_000;

describe('copies of a cluster', { timeout: 300_000 }, () => {
  let served: Served;
  let folder: string;
  let kube: Kube;
  let tenants: Tenants;
  before(async () => {
    served = await startServed();
    tenants = tenantsOf(served);
    folder = mkdtempSync(join(tmpdir(), 'coracle-archives-'));
    kube = await made('source');
    await populate(kube);
  });
  after(async () => {
    tenants?.close();
    await served?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const made = (name: string) => tenants.made(name);
  const ofKubeconfig = (text: string) => tenants.ofKubeconfig(text);
  const clusters = () => tenants.clusters();
  const failing = (...args: string[]) => tenants.failing(...args);

  it('a fork has the same objects, no nodes, other keys and a kube-system of its own', async () => {
    const { stdout } = await served.coracle('cluster', 'fork', 'source', 'forked');
    const fork = ofKubeconfig(stdout);
    assert.deepEqual(await named(fork, '/api/v1/nodes'), []);
    assert.equal((await items(kube, '/api/v1/nodes')).length, 1);
    const [mine, theirs] = [await items(fork, '/api/v1/configmaps'), await items(kube, '/api/v1/configmaps')];
    assert.deepEqual(
      mine.map((o) => [o.metadata.name, o.metadata.uid]),
      theirs.map((o) => [o.metadata.name, o.metadata.uid]),
    );
    const newest = Math.max(...theirs.map((o) => Number(o.metadata.resourceVersion)));
    assert.ok(mine.every((o) => Number(o.metadata.resourceVersion) > newest));
    const ca = (list: Listed[]) => list.find((o) => o.metadata.name === 'kube-root-ca.crt')?.data;
    assert.notDeepEqual(ca(mine), ca(theirs));
    const system = async (k: Kube) =>
      ((await k('GET', '/api/v1/namespaces/kube-system')).body as unknown as Listed).metadata.uid;
    assert.notEqual(await system(fork), await system(kube));
    const own = async (k: Kube) => ((await k('GET', '/api/v1/namespaces/own')).body as unknown as Listed).metadata.uid;
    assert.equal(await own(fork), await own(kube));
    const pods = await items(fork, '/api/v1/pods');
    assert.deepEqual(
      pods.map((p) => p.metadata.name),
      ['bound', 'ended'],
    );
    const bound = pods[0] as { spec?: { nodeName?: string }; status?: { phase: string } } | undefined;
    assert.equal(bound?.spec?.nodeName, undefined);
    assert.equal(bound?.status?.phase, 'Pending');
    // A taken address is still taken.
    const again = { metadata: { name: 'second' }, spec: { clusterIP: '10.96.7.7', ports: [{ port: 80 }] } };
    const refused = await fork('POST', '/api/v1/namespaces/default/services', again);
    assert.equal(refused.code, 422, JSON.stringify(refused.body));
    // Nobody's token for the one is good for the other.
    const account = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const token = ((await kube('POST', account, {})).body.status as { token: string }).token;
    const asked = (await clusters()).find((c) => c.metadata.name === 'forked')?.status.url ?? '';
    const stranger = tenants.client(asked, token);
    assert.equal((await stranger('GET', '/api/v1/configmaps')).code, 401);
    assert.match((await served.coracle('cluster', 'verify', 'forked')).stdout, /./);
    // And each goes on by itself.
    assert.equal((await fork('DELETE', '/api/v1/namespaces/default/configmaps/cm-1')).code, 200);
    assert.equal((await kube('GET', '/api/v1/namespaces/default/configmaps/cm-1')).code, 200);
    const fresh = { metadata: { name: 'fresh' } };
    assert.equal((await fork('POST', '/api/v1/namespaces', fresh)).code, 201);
    await waitFor('the loops of the fork', WAIT_MS, async () =>
      (await named(fork, '/api/v1/configmaps')).includes('fresh/kube-root-ca.crt'),
    );
  });

  it('a fork of the past has what was there then', async () => {
    const { body } = await kube('GET', '/api/v1/configmaps?limit=1');
    const at = (body.metadata as { resourceVersion: string }).resourceVersion;
    await kube('DELETE', '/api/v1/namespaces/default/configmaps/cm-2');
    await kube('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'late' } });
    const { stdout } = await served.coracle('cluster', 'fork', 'source', 'past', '--at', at);
    const names = await named(ofKubeconfig(stdout), '/api/v1/configmaps');
    assert.ok(names.includes('default/cm-2') && !names.includes('default/late'));
    assert.match(
      await failing('fork', 'source', 'never', '--at', '2001-01-01T00:00:00Z'),
      /has left history|compacted/,
    );
    assert.match(await failing('fork', 'source', 'never', '--at', '99999999999'), /has not been reached/);
    assert.match(await failing('fork', 'source', 'never', '--at', 'noon'), /neither a revision nor a time/);
    assert.match(await failing('fork', 'source', 'past'), /already exists/);
    assert.match(await failing('fork', 'nobody', 'never'), /not found/);
  });

  it('a backup under load is of one revision; restored it is the very cluster, at the same URL with the same tokens', async () => {
    const origin = await made('origin');
    await fill(origin, '/api/v1/namespaces/default/configmaps', 400, (i) => ({
      metadata: { name: `c${i}` },
      data: { n: '0' },
    }));
    await origin('POST', '/api/v1/namespaces/default/secrets', {
      metadata: { name: 's' },
      stringData: { a: 'secret' },
    });
    await origin('POST', '/api/v1/nodes', { metadata: { name: 'n' } });
    const file = join(folder, 'origin.archive');
    let stop = false;
    // Each round writes its number into two objects, the first name first: a backup may not have seen the second without the first.
    const writing = (async () => {
      for (let n = 1; !stop; n++)
        for (const name of ['c0', 'c99'])
          await origin('PUT', `/api/v1/namespaces/default/configmaps/${name}`, {
            metadata: { name },
            data: { n: String(n) },
          });
    })();
    await new Promise((r) => setTimeout(r, 100));
    const { stderr } = await served.coracle('cluster', 'backup', 'origin', file);
    stop = true;
    await writing;
    assert.match(stderr, /holds cluster origin at revision \d+/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const before_ = (await clusters()).find((c) => c.metadata.name === 'origin');
    assert.match(await failing('restore', 'origin', '--from', file), /already exists/);
    assert.match(await failing('restore', 'other', '--from', file), /has the very cluster already/);
    assert.match(await failing('restore', 'other', '--from', join(folder, 'none')), /ENOENT/);
    assert.match(await failing('restore', 'other'), /--from FILE .*, or coracle cluster restore NAME --to /);
    assert.match(await failing('restore', 'O', '--from', file), /metadata.name: a lowercase RFC 1123 label/);
    await served.coracle('cluster', 'delete', 'origin');
    assert.equal((await origin('GET', '/api/v1/configmaps')).code, 404);
    await served.coracle('cluster', 'restore', 'origin', '--from', file, '--output', join(folder, 'kubeconfig'));
    assert.equal((await clusters()).find((c) => c.metadata.name === 'origin')?.status.url, before_?.status.url);
    // The administrator's token of the first life.
    const list = await items(origin, '/api/v1/configmaps');
    const n = (name: string) =>
      Number((list.find((o) => o.metadata.name === name)?.data as { n: string } | undefined)?.n);
    assert.ok(n('c0') - n('c99') === 0 || n('c0') - n('c99') === 1, `${n('c0')} and ${n('c99')}`);
    assert.equal(list.length, 400 + 4);
    assert.deepEqual(await named(origin, '/api/v1/nodes'), ['/n']);
    const secret = (await origin('GET', '/api/v1/namespaces/default/secrets/s')).body as { data: { a: string } };
    assert.equal(atob(secret.data.a), 'secret');
    // Siblings and loops begin anew.
    const event = { metadata: { name: 'e' }, involvedObject: { namespace: 'default' } };
    assert.equal((await origin('POST', '/api/v1/namespaces/default/events', event)).code, 201);
    assert.equal((await origin('POST', '/api/v1/namespaces', { metadata: { name: 'fresh' } })).code, 201);
    await waitFor('the loops of the restored cluster', WAIT_MS, async () =>
      (await named(origin, '/api/v1/configmaps')).includes('fresh/kube-root-ca.crt'),
    );
    await served.coracle('cluster', 'verify', 'origin');
    // The new administrator's.
    const other = ofKubeconfig(readFileSync(join(folder, 'kubeconfig'), 'utf8'));
    assert.equal((await other('GET', '/api/v1/nodes')).code, 200);
    // Another one of the same objects, beside it.
    const { stdout } = await served.coracle('cluster', 'restore', 'beside', '--from', file, '--as-fork');
    const beside = ofKubeconfig(stdout);
    assert.deepEqual(await named(beside, '/api/v1/nodes'), []);
    assert.equal((await items(beside, '/api/v1/configmaps')).length, 404);
  });

  it('a cut, damaged or foreign archive is refused in one line, and nothing is left of it', async () => {
    const file = join(folder, 'whole.archive');
    await served.coracle('cluster', 'backup', 'source', file);
    const bytes = readFileSync(file);
    const names = (await clusters()).map((c) => c.metadata.name);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 100] = (flipped[bytes.length - 100] ?? 0) ^ 4;
    for (const [what, content, message] of [
      ['cut', bytes.subarray(0, bytes.length - 60), /is cut: it ends after/],
      ['flipped', flipped, /is damaged in the block at byte/],
      ['later', Buffer.from(bytes).fill('9', 16, 17), /format version "9"; this release reads version 1/],
      ['foreign', Buffer.from('apiVersion: v1\nkind: List\n'), /not an archive/],
      ['empty', Buffer.alloc(0), /not an archive/],
    ] as const) {
      const path = join(folder, what);
      writeFileSync(path, content);
      assert.match(await failing('restore', `bad-${what}`, '--from', path, '--as-fork'), message);
      // The server refuses it too, whoever sends it.
      const url = `${served.endpoint.url}${CLUSTERS}/bad-${what}/backup?fork=true`;
      const { code, text } = await sent(url, served.endpoint.token, served.endpoint.caPem, content);
      assert.equal(code, 400, text);
      assert.match((JSON.parse(text) as { message: string }).message, message);
    }
    assert.deepEqual(
      (await clusters()).map((c) => c.metadata.name),
      names,
    );
  });

  it('goes through stdin and stdout', async () => {
    const { stdout } = await served
      .coracle('cluster', 'backup', 'source', '-')
      .catch((e: Error) => assert.fail(e.message));
    assert.ok(stdout.startsWith('coracle-archive 1\n'));
  });

  it('a control plane that is killed in the middle leaves nothing of the copy, and the name is free', async () => {
    const big = await made('big');
    await fill(big, '/api/v1/namespaces/default/configmaps', 1_500, (i) => ({
      metadata: { name: `c${i}` },
      data: { text: `${i}`.repeat(1000) },
    }));
    const forking = call(served.endpoint, 'POST', `${CLUSTERS}/big/fork`, { metadata: { name: 'half' } }).catch(
      () => null,
    );
    await new Promise((r) => setTimeout(r, 120));
    await served.kill();
    const answer = await forking;
    const there = (await clusters()).some((c) => c.metadata.name === 'half');
    // It may have been quicker than the kill, and its answer not.
    if (answer?.code === 201) assert.ok(there);
    if (there) await served.coracle('cluster', 'delete', 'half');
    const { stdout } = await served.coracle('cluster', 'fork', 'big', 'half');
    assert.equal((await items(ofKubeconfig(stdout), '/api/v1/namespaces/default/configmaps')).length, 1_501);
  });
});

describe('a cluster with a time to live', { timeout: 200_000 }, () => {
  let served: Served;
  before(async () => {
    served = await startServed();
  });
  after(() => served?.close());
  const get = (name: string) => call(served.endpoint, 'GET', `${CLUSTERS}/${name}`);

  it('leaves tombstones and nothing else: no rows, no loops, no alarms', async () => {
    const { status } = await createCluster(served.endpoint, 'gone', 3_600);
    const kube = kubeOf(served.endpoint, status.url, status.adminToken ?? '');
    await kube('POST', '/api/v1/nodes', { metadata: { name: 'n' } });
    const pod = (i: number) => ({ metadata: { name: `p${i}` }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    await fill(kube, '/api/v1/namespaces/default/pods', 5, pod);
    await waitFor('the loops at work', WAIT_MS, async () =>
      rowsIn(served.home, 'Loop').some(([table, n]) => table === 'rows' && n > 0),
    );
    await call(
      served.endpoint,
      'PATCH',
      `${CLUSTERS}/gone`,
      { spec: { ttlSeconds: 1 } },
      'application/merge-patch+json',
    );
    await waitFor('its end', WAIT_MS, async () => (await get('gone')).code === 404);
    kube.close();
    const left = () =>
      ['Loop', 'TenantStore', 'NodeTunnel'].flatMap((name) =>
        rowsIn(served.home, name).filter(([table, n]) => n > 0 && table !== 'meta' && table !== '_cf_METADATA'),
      );
    await waitFor('everything to be gone', WAIT_MS, async () => left().length === 0).catch(() =>
      assert.deepEqual(left(), []),
    );
    assert.ok(
      rowsIn(served.home, 'TenantStore').some(([table, n]) => table === 'meta' && n > 0),
      'a tombstone',
    );
  });

  it('says when it ends, can be given more or all the time, and deletes itself, also after a restart', async () => {
    await served.coracle('cluster', 'create', 'short', '--ttl', '2h', '--output', join(served.home, 'k1'));
    const shown = (await get('short')).body as unknown as ClusterObject & { spec: { ttlSeconds?: number } };
    assert.equal(shown.spec.ttlSeconds, 7200);
    const lives = Date.parse(shown.status.expirationTimestamp ?? '') - Date.parse(shown.metadata.creationTimestamp);
    assert.equal(lives, 7_200_000);
    assert.match((await served.coracle('cluster', 'list')).stdout, new RegExp(shown.status.expirationTimestamp ?? '?'));
    await served.coracle('cluster', 'ttl', 'short', 'none');
    assert.equal(((await get('short')).body as unknown as ClusterObject).status.expirationTimestamp, undefined);
    await served.coracle('cluster', 'create', 'stays', '--output', join(served.home, 'k2'));
    await served.coracle('cluster', 'ttl', 'short', '8s');
    await served.kill();
    await waitFor('its end', WAIT_MS, async () => (await get('short')).code === 404);
    assert.equal((await get('stays')).code, 200);
    const gone = kubeOf(served.endpoint, shown.status.url, 'x');
    assert.equal((await gone('GET', '/api')).code, 404);
    gone.close();
    // Its name is free.
    await served.coracle('cluster', 'fork', 'stays', 'short', '--ttl', '1h');
    assert.notEqual(((await get('short')).body as unknown as ClusterObject).status.id, shown.status.id);
  });

  it('refuses what is no time', async () => {
    for (const ttlSeconds of [0, -1, 1.5, '2h', 1e12]) {
      const body = { metadata: { name: 'x' }, spec: { ttlSeconds } };
      assert.equal((await call(served.endpoint, 'POST', CLUSTERS, body)).code, 400, String(ttlSeconds));
    }
    const patch = (spec: object, type: string) => call(served.endpoint, 'PATCH', `${CLUSTERS}/stays`, { spec }, type);
    assert.equal((await patch({ ttlSeconds: 5 }, 'application/json')).code, 415);
    assert.equal((await patch({ kubernetes: '1.38' }, 'application/merge-patch+json')).code, 400);
  });
});

/** Tables and their number of rows in the databases of one class of objects, alarms included. */
function rowsIn(home: string, objects: string): [table: string, rows: number][] {
  const folder = join(home, 'data');
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter(
    (f) => f.endsWith('.sqlite') && f.includes(`coracle-${objects}/`),
  );
  return files.flatMap((file) => {
    const db = new DatabaseSync(join(folder, file), { readOnly: true });
    try {
      const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
      return tables.map(({ name }): [string, number] => {
        const { n } = db.prepare(`SELECT COUNT(*) AS n FROM "${name}"`).get() as { n: number };
        return [name, n];
      });
    } finally {
      db.close();
    }
  });
}

/** Objects of many sorts. */
async function populate(kube: Kube): Promise<void> {
  await kube('POST', '/api/v1/namespaces', { metadata: { name: 'own' } });
  await kube('POST', '/api/v1/nodes', { metadata: { name: 'node-1' } });
  await fill(kube, '/api/v1/namespaces/default/configmaps', 300, (i) => ({
    metadata: { name: `cm-${i}` },
    data: { i: `${i}` },
  }));
  await kube('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.7.7', ports: [{ port: 80 }] },
  });
  const pod = (name: string) => ({
    metadata: { name },
    spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'i' }] },
  });
  for (const name of ['bound', 'ended']) await kube('POST', '/api/v1/namespaces/default/pods', pod(name));
  const status = { phase: 'Succeeded' };
  await kube('PATCH', '/api/v1/namespaces/default/pods/ended/status', { status }, 'application/merge-patch+json');
}

/** A PUT of these bytes, whatever they are. */
async function sent(url: string, token: string, ca: string, body: Buffer): Promise<{ code: number; text: string }> {
  const { request } = await import('node:https');
  return new Promise((resolve, reject) => {
    const r = request(url, { method: 'PUT', ca, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text }));
    });
    r.on('error', reject);
    r.end(body);
  });
}
