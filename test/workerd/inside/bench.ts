import { keyOf, rangeOf } from '../../../kube/store/key.ts';
import type { PutOp } from '../../../kube/store/store.ts';
import { world } from '../../../workers/env.ts';
import { makeTenantStore } from '../../../workers/tenant/object.ts';
import { RemoteStore, type StoreStub } from '../../../workers/tenant/remote.ts';

/** The store object as it ships. */
export class BenchTenant extends makeTenantStore<Bindings>({ objects: (env) => env.TENANT }) {}
interface Bindings {
  TENANT: DurableObjectNamespace<BenchTenant>;
}

const JOIN = { version: 'v1', schema: 's1' };
/** Fills a body to 1 KB. */
const PADDING = 'x'.repeat(760);

function pod(i: number, mark: number): PutOp {
  const name = `pod-${String(i).padStart(6, '0')}`;
  const labels = { app: `app-${i % 50}`, 'pod-template-hash': `h${i % 100}` };
  const uid = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
  const node = `node-${i % 20}`;
  const text = JSON.stringify({
    metadata: { name, namespace: 'default', uid, labels },
    spec: { nodeName: node, mark, PADDING },
  });
  const facts = {
    uid,
    labels,
    fields: { 'spec.nodeName': node, 'status.phase': 'Running' },
    node,
    owners: [`rs-${i % 100}`],
  };
  return { key: keyOf('', 'pods', 'default', name), expect: undefined, value: { text, ...JOIN }, facts };
}

/** One piece of work, `n` times by `clients` at once. */
async function run(env: Bindings, q: URLSearchParams): Promise<unknown> {
  const n = Number(q.get('n') ?? 1);
  const clients = Number(q.get('clients') ?? 1);
  const stub = () => env.TENANT.getByName(q.get('cluster') ?? 'bench') as unknown as StoreStub;
  const store = new RemoteStore(stub, world);
  const act: Record<string, (i: number) => Promise<unknown>> = {
    create: (i) => env.TENANT.getByName(`c${i}-${q.get('cluster')}`).create({ base: '', uidPrefix: '', createdMs: 0 }),
    cluster: () => env.TENANT.getByName(q.get('cluster') ?? 'bench').create({ base: '', uidPrefix: '', createdMs: 0 }),
    put: (i) => store.commit([pod(i, 0)]),
    update: (i) => store.commit([pod(i % 1000, i)]),
    get: (i) => store.read(rangeOf('', 'pods', 'default', `pod-${String(i % 1000).padStart(6, '0')}`)),
    list: () => store.read(rangeOf('', 'pods'), { join: JOIN }),
    entries: () => store.read(rangeOf('', 'pods')),
    node: (i) =>
      store.read(rangeOf('', 'pods'), {
        join: JOIN,
        select: { fields: [{ field: 'spec.nodeName', op: '=', value: `node-${i % 20}` }] },
      }),
  };
  const f = act[q.get('do') ?? ''];
  if (!f) throw new Error('nothing to do');
  let next = 0;
  let last: unknown;
  const client = async () => {
    while (next < n) last = await f(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return last;
}

const watchers = async (env: Bindings, q: URLSearchParams): Promise<unknown> => {
  const stub = () => env.TENANT.getByName(q.get('cluster') ?? 'bench') as unknown as StoreStub;
  const store = new RemoteStore(stub, world);
  const { revision } = await store.info();
  const count = Number(q.get('watchers'));
  const n = Number(q.get('n'));
  let ready = 0;
  const reading = Array.from({ length: count }, async () => {
    let seen = 0;
    for await (const batch of store.watch(rangeOf('', 'pods'), revision)) {
      if (batch.revision === revision) ready++;
      seen += batch.events.length;
      if (seen >= n) return;
    }
  });
  while (ready < count) await new Promise((r) => setTimeout(r, 10));
  const start = Date.now();
  await run(
    env,
    new URLSearchParams({ cluster: q.get('cluster') ?? 'bench', do: 'update', n: String(n), clients: '32' }),
  );
  const written = Date.now() - start;
  await Promise.all(reading);
  return { written, seen: Date.now() - start };
};

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const q = new URL(request.url).searchParams;
    const last = q.get('do') === 'watch' ? await watchers(env, q) : await run(env, q);
    const size = (last as { items?: string } | undefined)?.items?.length ?? 0;
    return Response.json(q.get('do') === 'watch' ? last : { size });
  },
};
