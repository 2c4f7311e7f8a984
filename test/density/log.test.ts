import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServer } from './server.ts';

/** SQLite writes its log back at 4 MiB; another commit may have begun by then. */
const LOG_BYTES_MAX = 6 * 1024 * 1024;
const WRITES = 300;
const BODY = 'x'.repeat(20_000);
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

function longestLog(dir: string): number {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-wal'));
  return Math.max(0, ...files.map((name) => statSync(join(dir, name)).size));
}

test("a reader that stops early does not keep SQLite's log from being written back", async (t) => {
  const s = await startServer();
  t.after(() => s.stop());
  const c = await s.create('log');
  const maps = `/clusters/${c.id}/api/v1/namespaces/default/configmaps`;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  const write = (from: number) =>
    Promise.all(
      Array.from({ length: WRITES }, async (_, i) => {
        const body = JSON.stringify({ metadata: { name: `m-${from + i}`, labels: { a: 'b' } }, data: { k: BODY } });
        const r = await s.ask(maps, c.token, { method: 'POST', agent, body });
        assert.equal(r.code, 201, r.text);
      }),
    );
  const revision = async () =>
    JSON.parse((await s.ask(`${maps}?limit=1`, c.token, { agent })).text).metadata.resourceVersion;
  await write(0);
  const before = await revision();
  const reads: [query: string, accept: string][] = [
    ['limit=5&labelSelector=a', TABLE],
    ['limit=5&labelSelector=a%3Db', TABLE],
    ['limit=5&fieldSelector=metadata.name!=a', 'application/json'],
    [`limit=5&resourceVersion=${before}&resourceVersionMatch=Exact`, 'application/json'],
    [`watch=1&timeoutSeconds=1&resourceVersion=${Number(before) - 200}`, 'application/json'],
  ];
  for (const [i, [query, accept]] of reads.entries()) {
    const r = await s.ask(`${maps}?${query}`, c.token, { agent, accept });
    assert.equal(r.code, 200, r.text);
    await write((i + 1) * WRITES);
    const log = longestLog(s.home);
    assert.ok(log < LOG_BYTES_MAX, `after ${query}: ${log} bytes`);
  }
});
