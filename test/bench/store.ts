/** Figures of the store inside workerd, with its objects on local disk: `node test/bench/store.ts`. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWorkerd } from '../workerd/start.ts';

const here = dirname(fileURLToPath(import.meta.url));
const bench = JSON.stringify(resolve(join(here, '../workerd/inside/bench.ts')));
const workerd = await startWorkerd({
  entry: `export * from ${bench};\nexport { default } from ${bench};\n`,
  objects: { TENANT: 'BenchTenant' },
});

async function ask(query: Record<string, string | number>): Promise<Record<string, number>> {
  const q = new URLSearchParams(Object.entries({ cluster: 'bench', ...query }).map(([k, v]) => [k, String(v)]));
  const response = await fetch(`${workerd.url}/?${q}`);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Record<string, number>;
}

async function rate(name: string, query: Record<string, string | number>): Promise<void> {
  const n = Number(query.n);
  const start = performance.now();
  const { size } = await ask(query);
  const ms = performance.now() - start;
  const tail = size ? `, ${(size / 1e6).toFixed(2)} MB each` : '';
  console.log(`${name}: ${Math.round((n / ms) * 1000)}/s (${(ms / n).toFixed(3)} ms each${tail})`);
}

try {
  await ask({ do: 'cluster', n: 1 });
  await rate('create a cluster, 1 client', { do: 'create', n: 100 });
  await rate('put 1 KB, 32 clients', { do: 'put', n: 3200, clients: 32 });
  await rate('update 1 KB, 32 clients', { do: 'update', n: 8000, clients: 32 });
  await rate('update 1 KB, 1 client', { do: 'update', n: 500 });
  await rate('get, 32 clients', { do: 'get', n: 20_000, clients: 32 });
  await rate('get, 1 client', { do: 'get', n: 3_000 });
  await rate('list 3,200 x 1 KB, joined', { do: 'list', n: 100 });
  await rate('list 3,200 x 1 KB, entries', { do: 'entries', n: 20 });
  await rate('list 160 of 3,200 by node', { do: 'node', n: 300 });
  for (const watchers of [1, 100]) {
    const { written = 0, seen = 0 } = await ask({ do: 'watch', n: 4000, watchers });
    console.log(`4,000 updates with ${watchers} watchers: written in ${written} ms, seen by all in ${seen} ms`);
  }
} finally {
  await workerd.stop();
}
