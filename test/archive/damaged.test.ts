import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { call } from '../../cli/endpoint.ts';
import { mendAlarms } from '../../cli/server/alarms.ts';
import { waitFor } from '../../cli/server/pid.ts';
import { CLUSTERS, type ClusterObject } from '../../cli/tenancy.ts';
import { named, type Served, startServed, type Tenants, tenantsOf } from './server.ts';

// Files of every sort are damaged while the control plane is down: it says so, and there is a way out of each.

const WAIT_MS = 90_000;

describe('a control plane with damaged files', { timeout: 200_000 }, () => {
  let served: Served;
  let folder: string;
  let tenants: Tenants;
  before(async () => {
    served = await startServed();
    tenants = tenantsOf(served);
    folder = mkdtempSync(join(tmpdir(), 'coracle-damaged-'));
  });
  after(async () => {
    tenants?.close();
    await served?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const stores = () => join(served.home, 'data/coracle-TenantStore');
  const get = (name: string) => call(served.endpoint, 'GET', `${CLUSTERS}/${name}`);

  it('a torn list of clusters says so, and each gets its name again', async () => {
    const of = await tenants.made('listed');
    const { status } = (await tenants.clusters()).find((c) => c.metadata.name === 'listed') as ClusterObject;
    const list = join(served.home, 'data/coracle-Directory');
    const file = () => readdirSync(list).find((f) => /^[0-9a-f]+\.sqlite$/.test(f)) ?? '';
    const was = (await tenants.clusters()).map((c) => [c.metadata.name, c.status.id]);
    await served.kill(() => {
      checkpointed(join(list, file()));
      truncateSync(join(list, file()), 3_000);
    });
    const says = new RegExp(`list of this endpoint's clusters is damaged.*set ${file()} aside.*coracle cluster adopt`);
    for (const verb of ['list', 'verify', 'backup', 'delete'])
      assert.match(
        await tenants.failing(verb, ...(verb === 'list' ? [] : ['listed']), ...(verb === 'backup' ? ['-'] : [])),
        says,
      );
    assert.equal((await of('GET', '/api/v1/namespaces')).code, 200);
    await served.kill(() => rmSync(join(list, file())));
    assert.deepEqual(await tenants.clusters(), []);
    for (const [name = '', id = ''] of was) await served.coracle('cluster', 'adopt', name, id);
    assert.deepEqual(
      (await tenants.clusters()).map((c) => [c.metadata.name, c.status.id]),
      was,
    );
    assert.match(await tenants.failing('adopt', 'again', status.url), /the cluster has this name/);
    assert.match(await tenants.failing('adopt', 'other', 'aaaaaaaaaaaaaa'), /not found/);
    assert.match(await tenants.failing('adopt', 'other', 'x'), /id: .*Invalid format/);
    assert.match(await tenants.failing('adopt', 'other'), /no cluster other was made here/);
  });

  it('a cluster with a torn file can be deleted, and comes back from its backup', async () => {
    const files = () => readdirSync(stores()).filter((f) => f.endsWith('.sqlite'));
    for (const torn of ['main', 'events']) {
      const before = files();
      const of = await tenants.made(`torn-${torn}`);
      const main = files().find((f) => !before.includes(f));
      await of('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'kept' } });
      const event = { metadata: { name: 'seen' }, involvedObject: { kind: 'Pod', namespace: 'default' } };
      await of('POST', '/api/v1/namespaces/default/events', event);
      const sibling = files().find((f) => f !== main && !before.includes(f));
      const path = join(stores(), (torn === 'main' ? main : sibling) ?? '');
      const file = join(folder, `${torn}.archive`);
      await served.coracle('cluster', 'backup', `torn-${torn}`, file);
      await served.kill(() => {
        checkpointed(path);
        truncateSync(path, 3_000);
      });
      const { code } = await of('GET', `/api/v1/namespaces/default/${torn === 'main' ? 'configmaps' : 'events'}`);
      assert.equal(code, 500);
      const { stderr } = await served.coracle('cluster', 'delete', `torn-${torn}`);
      const [, aside = ''] = /files of cluster torn-\w+ that cannot be opened are now in (\S+)/.exec(stderr) ?? [];
      assert.ok(readdirSync(aside).includes(basename(path)), stderr);
      const { stdout } = await served.coracle('cluster', 'restore', `torn-${torn}`, '--from', file);
      const back = tenants.ofKubeconfig(stdout);
      assert.ok((await named(back, '/api/v1/configmaps')).includes('default/kept'));
      assert.deepEqual(await named(back, '/api/v1/events'), []);
    }
  });

  it('deletes itself also where the file of alarms was damaged: objects are woken and know by themselves when they are due', async () => {
    await tenants.made('stays');
    await served.coracle('cluster', 'create', 'forgotten', '--ttl', '8s', '--output', join(served.home, 'k3'));
    const data = join(served.home, 'data');
    await served.kill(() => {
      const files = readdirSync(data).map((objects) => join(data, objects, 'metadata.sqlite'));
      for (const file of files) {
        for (const part of ['-wal', '-shm']) rmSync(file + part, { force: true });
        writeFileSync(file, 'no database'.repeat(1_000));
      }
      const said = mendAlarms(served.home, data);
      assert.deepEqual(
        said.map((line) => line.split(' ')[0]),
        files,
      );
      assert.deepEqual(mendAlarms(served.home, data), []);
    });
    await waitFor('its end', WAIT_MS, async () => (await get('forgotten')).code === 404);
    assert.equal((await get('stays')).code, 200);
  });

  it('a cluster whose tables cannot be read is deleted with nothing set aside, and comes back from its backup', async () => {
    const files = () => readdirSync(stores()).filter((f) => f.endsWith('.sqlite'));
    const before = files();
    await tenants.made('unread');
    const path = join(stores(), files().find((f) => !before.includes(f)) ?? '');
    const file = join(folder, 'unread.archive');
    await served.coracle('cluster', 'backup', 'unread', file);
    await served.kill(() => {
      checkpointed(path);
      // The first page holds where the tables begin.
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xff, 4_096));
    });
    assert.match(await tenants.failing('limits', 'unread'), /the stored data of this cluster is damaged/);
    const { stderr } = await served.coracle('cluster', 'delete', 'unread');
    assert.equal(stderr, 'coracle: cluster unread is deleted\n');
    const { stdout } = await served.coracle('cluster', 'restore', 'unread', '--from', file);
    assert.ok((await named(tenants.ofKubeconfig(stdout), '/api/v1/namespaces')).includes('/default'));
  });
});

/** All of a database is in its file. */
function checkpointed(path: string): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}
