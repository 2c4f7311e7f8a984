import type { User } from '../api/attributes.ts';
import { GROUPS, serviceAccountGroups, serviceAccountName } from '../api/authn/users.ts';
import type { Api } from '../api/server.ts';
import { type Env, sleep } from '../kube/meta/env.ts';
import type { FieldRequirement } from '../kube/meta/selectors.ts';
import { type Interest, matches } from '../kube/store/interest.ts';
import { rangeUnder } from '../kube/store/key.ts';
import { withMembers } from '../kube/store/members.ts';
import { placement } from '../kube/store/placement.ts';
import type { Entry, Fence, Revision, Store } from '../kube/store/store.ts';
import { type Bindings, tunnelName } from './bindings.ts';
import { clusterContext, fillView, storeStub } from './cluster.ts';
import { turn, world } from './env.ts';
import { createClient } from './loops/client.ts';
import { collectorEffects } from './loops/collect.ts';
import { collectorStore } from './loops/collectorstore.ts';
import { loopEffects } from './loops/effects.ts';
import { LOOPS } from './loops/list.ts';
import { nodeEffects } from './loops/nodes.ts';
import type { LoopPlatform, LoopStore } from './loops/object.ts';
import { quotaEffects } from './loops/usage.ts';
import { classEffects } from './loops/volumeclasses.ts';
import { LEASE_MS } from './tenant/leases.ts';
import { RemoteStore, type StoreStub } from './tenant/remote.ts';

/** Controllers that upstream runs with another's account. */
const ACCOUNTS: Readonly<Record<string, string>> = {
  'taint-eviction-controller': 'node-controller',
  'node-ipam-controller': 'node-controller',
};

/** What kube-apiserver does itself it does as itself. */
const SERVERS_OWN: ReadonlySet<string> = new Set(['kubernetes-service-controller', 'default-service-cidr-controller']);

/** Upstream runs the scheduler as a user of its own, controllers as ServiceAccounts of kube-system. */
export function identity(controller: string): User {
  if (controller === 'kube-scheduler') return { name: 'system:kube-scheduler', groups: [GROUPS.authenticated] };
  if (SERVERS_OWN.has(controller)) return { name: 'system:apiserver', groups: [GROUPS.masters, GROUPS.authenticated] };
  return {
    name: serviceAccountName('kube-system', ACCOUNTS[controller] ?? controller),
    groups: [...serviceAccountGroups('kube-system'), GROUPS.authenticated],
  };
}

/** What loop objects get of the platform: the API in this process, and their cluster's store. */
export function loopPlatform(api: Api, b: Bindings): LoopPlatform {
  return {
    env: world,
    loops: LOOPS,
    store: (cluster) => loopStore(b, cluster),
    async client(cluster, fence, holder) {
      const context = clusterContext(b, { waitUntil: () => undefined }, cluster, '');
      await fillView(context);
      let deposed = false;
      const fenced = new Map<Store, Store>();
      const guarded = {
        ...context,
        get keys() {
          return context.keys;
        },
        store(resource: string, namespace: string): Store {
          const store = context.store(resource, namespace);
          let guard = fenced.get(store);
          if (guard === undefined) {
            guard =
              placement(resource, namespace) === 'main'
                ? withMembers(store, {
                    async commit(ops, o) {
                      const done = await store.commit(ops, o);
                      if (!done.ok && 'lost' in done && done.lost === 'fence') deposed = true;
                      return done;
                    },
                  })
                : siblingFence(store, fence, holder);
            fenced.set(store, guard);
          }
          return guard;
        },
      };
      const send = async (controller: string, request: Request) => {
        // What a process calls in itself never lets the network have its turn.
        await turn();
        return api.handle(request, guarded, { user: identity(controller), fence });
      };
      const tunnel = (node: string) => b.TUNNELS.getByName(tunnelName(cluster, node)).liveness();
      return createClient(
        send,
        {
          ...loopEffects(() => context.keys.ca, world),
          ...quotaEffects(world),
          ...classEffects,
          ...nodeEffects(tunnel, world),
          ...collectorEffects(collectorStore(guarded.store.bind(guarded), { fence }), world),
        },
        world,
        () => deposed,
      );
    },
  };
}

/** Epochs are each store's own: before the first write to a sibling its lease is taken there too, from any holder of an older epoch of the main one. */
function siblingFence(store: Store, main: Fence, holder: string): Store {
  const { lease } = main;
  const name = `${holder}@${main.epoch}`;
  const epochOf = (other: string) => Number(other.slice(other.lastIndexOf('@') + 1));
  let granted: { fence: Fence; untilMs: number } | undefined;
  async function take(): Promise<typeof granted> {
    let g = await store.grant(lease, name, LEASE_MS);
    if (!g.held && epochOf(g.holder) < main.epoch) {
      await store.release(lease, g.holder);
      g = await store.grant(lease, name, LEASE_MS);
    }
    return g.held ? { fence: { lease, epoch: g.epoch }, untilMs: g.expiresMs } : undefined;
  }
  /** One asks for all. */
  let taking: Promise<typeof granted> | undefined;
  return withMembers(store, {
    async commit(ops, o) {
      if (granted === undefined || granted.untilMs - world.now() < LEASE_MS / 3) {
        taking ??= take().finally(() => {
          taking = undefined;
        });
        granted = await taking;
        if (granted === undefined) return { ok: false, lost: 'fence' };
      }
      return store.commit(ops, { ...o, fence: granted.fence });
    },
  });
}

function loopStore(b: Bindings, cluster: string): LoopStore {
  const remote = new RemoteStore(() => storeStub(b, cluster) as unknown as StoreStub, world);
  return {
    grant: (...a) => remote.grant(...a),
    release: (...a) => remote.release(...a),
    startRound: (o) => storeStub(b, cluster).startRound(o),
    endRound: (...a) => storeStub(b, cluster).endRound(...a),
    register: (loop, interests) => storeStub(b, cluster).register(loop, [...interests]),
    changes: (interests, after) => storeStub(b, cluster).changes([...interests], after),
    snapshot: (interest) => snapshotOf(remote, interest, world),
  };
}

/** Everything of an interest as it is now; what facts but no selector can say is told apart here. */
export async function snapshotOf(
  store: Store,
  interest: Interest,
  env: Pick<Env, 'after'>,
): Promise<{ revision: Revision; entries: Entry[] }> {
  const { resource, namespaces = [''], name, fields = [] } = interest;
  const named: FieldRequirement[] = name === undefined ? [] : [{ field: 'metadata.name', op: '=', value: name }];
  const select = { fields: [...named, ...fields] };
  const entries: Entry[] = [];
  let revision = Number.POSITIVE_INFINITY;
  for (const namespace of namespaces) {
    const range = rangeUnder(namespace === '' ? resource : `${resource}/${namespace}`);
    for (let after: string | undefined; ; ) {
      const page = await store.read(range, { select, ...(after === undefined ? {} : { after }) });
      if (!page.ok) throw new Error('a read without assumptions was called stale');
      for (const entry of page.entries) if (matches(interest, entry.key, entry.facts)) entries.push(entry);
      revision = Math.min(revision, page.revision);
      after = page.next;
      // After the last one too: who reads several interests has the next one read at once.
      await sleep(env, 0);
      if (after === undefined) break;
    }
  }
  return { revision, entries };
}
