import { world } from '../../../workers/env.ts';
import { makeTenantStore } from '../../../workers/tenant/object.ts';
import type { StoreStub } from '../../../workers/tenant/remote.ts';
import { RemoteStore } from '../../../workers/tenant/remote.ts';

interface Bindings {
  TENANT: DurableObjectNamespace<Sleeper>;
}
let made = 0;

/** Tells how often the platform has made the object. */
export class Sleeper extends makeTenantStore<Bindings>({ objects: (env) => env.TENANT }) {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    made++;
  }
}

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const url = new URL(request.url);
    const stub = env.TENANT.getByName('sleeper');
    if (url.pathname === '/watch') return stub.fetch(request);
    if (url.pathname === '/create') await stub.create({ base: '', uidPrefix: '', createdMs: 0 });
    const name = url.searchParams.get('put');
    const store = new RemoteStore(() => stub as unknown as StoreStub, world);
    if (url.searchParams.has('list')) {
      const page = await store.read({ from: 'pods/', to: 'pods0' }, { factsOnly: true });
      return Response.json(page.ok ? page.entries.map((e) => [e.key, e.revision]) : []);
    }
    const filler = 'x'.repeat(Number(url.searchParams.get('bytes') ?? 0));
    const value = { text: `{"metadata":{"name":"${name}"},"filler":"${filler}"}`, version: 'v1', schema: 's1' };
    const ttl = url.searchParams.get('ttl');
    const life = ttl === null ? {} : { ttlMs: Number(ttl) };
    const op = { key: `pods/default/${name}`, expect: undefined, value, facts: { uid: '' }, ...life };
    return Response.json({ ...(name === null ? {} : await store.commit([op])), made });
  },
};
