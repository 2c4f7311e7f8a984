import assert from 'node:assert/strict';
import { type Bench, bench } from '../../api/testing.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { ChangeSource } from '../../kube/reconcile/changes.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { MemoryProjection } from '../../kube/reconcile/projection.ts';
import { createRunner } from '../../kube/reconcile/runner.ts';
import { type Interest, Interests, matches } from '../../kube/store/interest.ts';
import { EVERYTHING } from '../../kube/store/key.ts';
import { withMembers } from '../../kube/store/members.ts';
import { MemoryStore } from '../../kube/store/memory.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Entry, Key, Revision, Store } from '../../kube/store/store.ts';
import { createClient, type EffectFunction } from '../../workers/loops/client.ts';
import { collectorEffects } from '../../workers/loops/collect.ts';
import { collectorStore } from '../../workers/loops/collectorstore.ts';
import { quotaEffects } from '../../workers/loops/usage.ts';

/** A store beside the main one. Nobody pushes policy revisions to it here. */
const sibling = (store: MemoryStore): Store =>
  withMembers(store, {
    read: (range, { assume: _, ...o } = {}) => store.read(range, o),
    commit: (ops, { assume: _, ...o } = {}) => store.commit(ops, o),
  });

/** A cluster in memory with the API's whole chain and some of the controllers, on a virtual clock. */
export class LoopCluster {
  readonly b: Bench;
  /** Effects asked for, by name. */
  readonly asked: string[] = [];
  /** What was refused, in the API's words; lost races are none of it. */
  readonly refused: string[] = [];
  readonly #round: () => Promise<unknown>;

  constructor(b: Bench, controllers: readonly Controller[]) {
    this.b = b;
    const env = b.world;
    const leases = sibling(new MemoryStore(env));
    b.cluster.store = (resource) => (placement(resource, '') === 'leases' ? leases : b.store);
    const effects: Record<string, EffectFunction> = {
      clock: async () => ({ at: env.now() }),
      nodeHeard: async () => ({ heardMs: env.now(), connected: true, askedMs: env.now() }),
      ...quotaEffects(env),
      ...collectorEffects(collectorStore(b.cluster.store), env),
    };
    const counted = Object.fromEntries(
      Object.entries(effects).map(([name, run]): [string, EffectFunction] => [
        name,
        (...a) => {
          this.asked.push(name);
          return run(...a);
        },
      ]),
    );
    const user = { name: 'loop', groups: ['system:masters'] };
    const send = async (controller: string, request: Request) => {
      const path = `${request.method} ${new URL(request.url).pathname}`;
      const response = await b.api.handle(request, b.cluster, { user });
      if (response.status >= 400 && response.status !== 404 && response.status !== 409) {
        this.refused.push(`${controller} ${path}: ${await response.clone().text()}`);
      }
      return response;
    };
    const client = createClient(send, counted, env);
    const runner = createRunner(controllers, new MemoryProjection(), this.#source(), client, env);
    this.#round = () => runner.round({ writes: 10_000, ms: 60_000 });
  }

  async rows(prefix = ''): Promise<Entry[]> {
    const page = await this.b.store.read(EVERYTHING);
    return page.ok ? page.entries.filter((e) => e.key.startsWith(prefix)) : [];
  }
  #source(): ChangeSource {
    let known = new Map<Key, Revision>();
    return {
      changes: async (_, interests) => {
        const wants = new Interests(interests.map((i) => [i, true] as const));
        const now = (await this.rows()).filter((e) => wants.wants(e.key, e.facts));
        const { revision } = await this.b.store.info();
        const rows = now
          .filter((e) => known.get(e.key) !== e.revision)
          .map((entry) => ({ key: entry.key, revision: entry.revision, entry: entry as Entry | null }));
        const keys = new Set(now.map((e) => e.key));
        for (const key of known.keys()) if (!keys.has(key)) rows.push({ key, revision, entry: null });
        known = new Map(now.map((e) => [e.key, e.revision]));
        return { revision, rows, more: false };
      },
      register: async () => undefined,
      snapshot: async (i: Interest) => ({
        revision: (await this.b.store.info()).revision,
        entries: (await this.rows(`${i.resource}/`)).filter((e) => matches(i, e.key, e.facts)),
      }),
    };
  }
  /** Rounds, each with so much time after it. */
  async settle(rounds = 6, ms = 60_000): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      await this.#round();
      this.b.world.pass(ms);
    }
  }

  async ask(method: string, path: string, body?: JsonObject, type = 'application/json'): Promise<KubeObject> {
    const done = await this.b.ask(method, path, body, { 'content-type': type });
    assert.ok(done.code < 300, `${method} ${path}: ${done.text}`);
    return done.body as unknown as KubeObject;
  }
  merge(path: string, body: JsonObject): Promise<KubeObject> {
    return this.ask('PATCH', path, body, 'application/merge-patch+json');
  }
  get(path: string): Promise<KubeObject> {
    return this.ask('GET', path);
  }
  async list(path: string): Promise<KubeObject[]> {
    return (await this.ask('GET', path)).items as unknown as KubeObject[];
  }
}

/** `parts`: what else the API has (admission). */
export const loopCluster = async (
  controllers: readonly Controller[],
  parts: Parameters<typeof bench>[0] = {},
): Promise<LoopCluster> => new LoopCluster(await bench(parts), controllers);
