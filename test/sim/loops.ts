import type { Effect, Note, Write } from '../../kube/reconcile/controller.ts';
import type { Client } from '../../kube/reconcile/runner.ts';
import type { Interest } from '../../kube/store/interest.ts';
import { withMembers } from '../../kube/store/members.ts';
import type { Fence, Revision, Store } from '../../kube/store/store.ts';
import { createClient } from '../../workers/loops/client.ts';
import { collectorEffects } from '../../workers/loops/collect.ts';
import { collectorStore } from '../../workers/loops/collectorstore.ts';
import { loopEffects } from '../../workers/loops/effects.ts';
import { type Liveness, nodeEffects } from '../../workers/loops/nodes.ts';
import { quotaEffects } from '../../workers/loops/usage.ts';
import { classEffects } from '../../workers/loops/volumeclasses.ts';
import { CLUSTER, type SimCluster } from './cluster.ts';
import { identity, LOOPS, type LoopObject, type LoopPlatform, makeLoop, type Poke, snapshotOf } from './platform.ts';
import { ObjectStorage } from './storage.ts';

const REPLICAS = 2;
/** Longer than a lease. */
const STALL_MS = 20_000;

interface Life {
  object: LoopObject;
  dead: boolean;
}
interface Slot {
  loop: string;
  replica: number;
  storage: ObjectStorage;
  life: Life | undefined;
}

/** The loop objects of a cluster: lives that end and begin anew on what they kept. */
export class SimLoops {
  readonly #c: SimCluster;
  readonly #slots = new Map<string, Slot>();
  readonly #liveness: (node: string) => Liveness;
  /** Lives that ended of a sudden, and that stood still. */
  readonly counts = { killed: 0, stalled: 0, deposed: 0 };

  constructor(c: SimCluster, liveness: (node: string) => Liveness) {
    this.#c = c;
    this.#liveness = liveness;
    c.onWake = (loop, attempt) => this.wake(loop, attempt % REPLICAS);
    for (const loop of Object.keys(LOOPS))
      for (let replica = 0; replica < REPLICAS; replica++) {
        const slot: Slot = { loop, replica, storage: new ObjectStorage(c.clock), life: undefined };
        slot.storage.onAlarm = () => this.#quiet(this.#lifeOf(slot).object.alarm());
        this.#slots.set(`${loop}/${replica}`, slot);
      }
  }

  wake(loop: string, replica: number, poke?: Poke): void {
    const slot = this.#slots.get(`${loop}/${replica}`);
    if (slot) this.#quiet(this.#lifeOf(slot).object.wake({ cluster: CLUSTER, loop, replica }, poke));
  }
  /** Ends a life of a sudden: what is under way never comes back. */
  kill(loop: string, replica: number): void {
    const slot = this.#slots.get(`${loop}/${replica}`);
    if (slot?.life) this.#end(slot, slot.life);
  }
  /** What a replica keeps, to be looked at. */
  slot(name: string): { storage: ObjectStorage } | undefined {
    return this.#slots.get(name);
  }
  close(): void {
    for (const slot of this.#slots.values()) slot.storage.close();
  }
  #end(slot: Slot, life: Life): void {
    life.dead = true;
    if (slot.life === life) slot.life = undefined;
    this.counts.killed++;
  }
  /** A life that ended leaves its promises behind. */
  #quiet(p: Promise<void>): void {
    p.catch((e: unknown) => {
      if (!String(e).includes('the object has ended')) throw e;
    });
  }

  #lifeOf(slot: Slot): Life {
    if (slot.life) return slot.life;
    const life = { dead: false } as Life;
    const ctx = { storage: slot.storage.of(() => life.dead), waitUntil: (p: Promise<void>) => this.#quiet(p) };
    life.object = new (makeLoop(() => this.#platform(slot, life)))(ctx, {});
    slot.life = life;
    return life;
  }

  #platform(slot: Slot, life: Life): LoopPlatform {
    const c = this.#c;
    const alive = () => !life.dead;
    return {
      env: { ...c.env, after: (ms, f) => c.env.after(ms, () => alive() && f()) },
      loops: LOOPS,
      store: () => this.#loopStore(alive),
      client: async (_, fence) => this.#client(slot, life, fence),
    };
  }

  #loopStore(alive: () => boolean): unknown {
    const stub = this.#c.stub(alive) as unknown as Record<string, (...a: unknown[]) => Promise<unknown>>;
    const remote = this.#c.remote(alive);
    const { env } = this.#c;
    const after = (ms: number, f: () => void) => env.after(ms, () => alive() && f());
    return {
      grant: (...a: Parameters<Store['grant']>) => remote.grant(...a),
      release: (...a: Parameters<Store['release']>) => remote.release(...a),
      startRound: (o: unknown) => stub.startRound?.(o),
      endRound: (...a: unknown[]) => stub.endRound?.(...a),
      register: (loop: string, interests: readonly Interest[]) => stub.register?.(loop, [...interests]),
      changes: (interests: readonly Interest[], after: Revision) => stub.changes?.([...interests], after),
      snapshot: (interest: Interest) => snapshotOf(remote, interest, { after }),
    };
  }

  #client(slot: Slot, life: Life, fence: Fence): Client {
    const c = this.#c;
    const { context } = c.isolate(() => !life.dead);
    let deposed = false;
    const main = context.store('pods', '');
    const guard = withMembers(main, {
      commit: async (ops, o) => {
        const done = await main.commit(ops, o);
        if (!done.ok && 'lost' in done && done.lost === 'fence') {
          deposed = true;
          this.counts.deposed++;
        }
        return done;
      },
    });
    const guarded = {
      ...context,
      store: (resource: string, namespace: string) => {
        const store = context.store(resource, namespace);
        return store === main ? guard : store;
      },
    };
    const client = createClient(
      (controller, request) => c.api.handle(request, guarded, { user: identity(controller), fence }),
      {
        ...loopEffects(() => 'PEM', c.env),
        ...quotaEffects(c.env),
        ...classEffects,
        ...nodeEffects(async (node) => this.#liveness(node), c.env),
        ...collectorEffects(collectorStore(guarded.store, { fence }), c.env),
      },
      c.env,
      () => deposed,
    );
    return {
      write: async (controller: string, w: Write) => {
        await this.#mishap(slot, life);
        return client.write(controller, w);
      },
      note: async (...a: [string, Note, Parameters<Client['note']>[2]]) => client.note(...a),
      effect: async (controller: string, e: Effect) => client.effect(controller, e),
    };
  }

  /** Between what was observed and what is applied. */
  async #mishap(slot: Slot, life: Life): Promise<void> {
    const { clock, faults } = this.#c;
    if (faults.killed > 0 && clock.random() < faults.killed) {
      this.#end(slot, life);
      // Somebody wakes it again in time: the store's alarm.
      return new Promise(() => {});
    }
    if (faults.stalled > 0 && clock.random() < faults.stalled) {
      this.counts.stalled++;
      await clock.sleep(STALL_MS);
    }
  }
}
