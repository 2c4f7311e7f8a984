import { rangeOf } from '../../../kube/store/key.ts';
import type { PutOp } from '../../../kube/store/store.ts';
import { world } from '../../../workers/env.ts';
import { makeTenantStore } from '../../../workers/tenant/object.ts';
import { RemoteStore, type StoreStub } from '../../../workers/tenant/remote.ts';

/** A store object as it ships, asked from outside. */
export class Damaged extends makeTenantStore<Bindings>({ objects: (env) => env.TENANT }) {}
interface Bindings {
  TENANT: DurableObjectNamespace<Damaged>;
}

const SCHEMA = { version: 'v1', schema: 's1' };
const pods = rangeOf('', 'pods');
const one = (name: string) => rangeOf('', 'pods', 'default', name);
function putPod(name: string, app: string, node: string): PutOp {
  const text = JSON.stringify({ metadata: { name, namespace: 'default', labels: { app } }, spec: 'x'.repeat(500) });
  const facts = { uid: `uid-${name}`, labels: { app }, node, fields: { 'spec.nodeName': node } };
  return { key: `pods/default/${name}`, expect: undefined, value: { text, ...SCHEMA }, facts };
}
const names = Array.from({ length: 120 }, (_, i) => `pod-${i}`);

async function answer(env: Bindings, what: string): Promise<unknown> {
  const object = env.TENANT.getByName('damaged');
  const store = new RemoteStore(() => env.TENANT.getByName('damaged') as unknown as StoreStub, world);
  const [verb, name = ''] = what.split(' ');
  switch (verb) {
    case 'fill':
      await object.create({ base: '', uidPrefix: '', createdMs: 0 });
      for (const app of ['a', 'b']) await store.commit(names.map((n, i) => putPod(n, app, `n${i % 4}`)));
      return null;
    case 'get':
      return store.read(one(name));
    case 'list':
      return store.read(pods);
    case 'joined': {
      const page = await store.read(pods, { join: SCHEMA });
      return page.ok ? page.items?.map((x) => new TextDecoder().decode(x)) : page;
    }
    case 'node':
      return store.read(pods, { select: { fields: [{ field: 'spec.nodeName', op: '=', value: 'n2' }] } });
    case 'watch':
      for await (const batch of store.watch(pods, 120)) if (batch.events.length > 0) return batch.events;
      return null;
    case 'put':
      return store.commit([putPod(name, 'c', 'n1')]);
    case 'verify': {
      let next: string | undefined;
      let found = 0;
      do {
        const slice = await object.verify(next);
        found += slice.found;
        next = slice.next;
      } while (next !== undefined);
      return found;
    }
    default:
      throw new Error(`what is ${verb}?`);
  }
}

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    try {
      return Response.json({ ok: await answer(env, new URL(request.url).searchParams.get('q') ?? '') });
    } catch (e) {
      return Response.json({ error: (e as Error).message, code: (e as { code?: string }).code });
    }
  },
};
