import type { Json, JsonObject } from '../../../kube/meta/json.ts';
import type { KubeObject } from '../../../kube/meta/object.ts';
import type { Controller, Note, Plan, Write } from '../../../kube/reconcile/controller.ts';
import { suffix } from '../../../kube/reconcile/view.ts';
import type { Key } from '../../../kube/store/store.ts';
import { type Given, keyFor, NOW, resourceFor, viewOf } from './view.ts';

/** Rounds after which a world that doesn't come to rest is one that never will. */
const ROUNDS_MAX = 200;

/**
 * A cluster in a few words: objects, controllers whose plans are carried out at once, and a clock. No API server and no loop: what is tested are plans one
 * after another. Patches are merge patches, but for owners, which are taken and given back.
 */
export class World {
  readonly objects = new Map<Key, Given>();
  readonly told: string[] = [];
  readonly #controllers: readonly Controller[];
  readonly #memories = new Map<Controller, Map<string, unknown>>();
  /** Refuses a write with what it gives. */
  refuse: (w: Write) => string | undefined = () => undefined;
  /** Looks at every state between two writes. */
  watch: () => void = () => undefined;
  now = NOW;
  #version = 0;
  readonly #failures = new Map<string, string>();

  constructor(controllers: readonly Controller[], objects: readonly Given[] = []) {
    this.#controllers = controllers;
    for (const o of objects) this.put(o);
  }

  get<T extends JsonObject = JsonObject>(key: Key): (Given & T) | undefined {
    return this.objects.get(key) as (Given & T) | undefined;
  }
  list(resource: string): Given[] {
    const keys = [...this.objects.keys()].filter((k) => k.startsWith(`${resource}/`)).sort();
    return keys.map((k) => this.objects.get(k) as Given);
  }
  /** Names of a resource's objects. */
  names(resource: string): string[] {
    return this.list(resource).map((o) => o.metadata.name ?? '');
  }
  /** As a user or a node would: whole, and generation rises where the spec changes. */
  put(o: Given): void {
    const key = keyFor(o);
    const old = this.objects.get(key);
    this.#version++;
    const changed = old !== undefined && JSON.stringify(old.spec) !== JSON.stringify(o.spec);
    this.objects.set(key, {
      ...o,
      metadata: {
        ...o.metadata,
        uid: old?.metadata.uid ?? o.metadata.uid ?? `uid-${this.#version}`,
        creationTimestamp: old?.metadata.creationTimestamp ?? o.metadata.creationTimestamp ?? this.#time(),
        generation: (old?.metadata.generation ?? o.metadata.generation ?? 1) + (changed ? 1 : 0),
        resourceVersion: String(this.#version),
      },
    } as Given);
    this.watch();
  }
  change(key: Key, f: (o: Given) => Given): void {
    const o = this.objects.get(key);
    if (o === undefined) throw new Error(`no ${key}`);
    this.put(f(structuredClone(o)));
  }
  remove(key: Key): void {
    this.objects.delete(key);
    this.watch();
  }

  /** One plan of each controller for each of its roots. Whether anything was written. */
  round(): boolean {
    let any = false;
    for (const c of this.#controllers)
      for (const key of [...this.objects.keys()].filter((k) => k.startsWith(`${resourceFor(c.for.kind)}/`)))
        any = this.#plan(c, key) || any;
    return any;
  }
  /** Until nothing is to be done. `each` plays the nodes after each round. */
  settle(each: () => void = () => undefined): void {
    for (let n = 0; n < ROUNDS_MAX; n++) {
      const before = this.#version;
      const size = this.objects.size;
      this.round();
      each();
      if (this.#version === before && this.objects.size === size) return;
    }
    throw new Error('it never comes to rest');
  }
  /** The plan for a root as things stand. */
  plan(c: Controller, key: Key): Plan {
    const memory = this.#memories.get(c) ?? new Map<string, unknown>();
    this.#memories.set(c, memory);
    const failure = this.#failures.get(`${c.name} ${key}`);
    let calls = 0;
    const view = viewOf(c, [...this.objects.values()], { now: this.now, ...(failure ? { failure } : {}) });
    const seed = `${key}/${this.#version}`;
    return c.reconcile(key, this.objects.get(key), {
      ...view,
      memory,
      suffix: (n) => suffix(`${seed}/${calls++}`, n),
    });
  }

  #plan(c: Controller, key: Key): boolean {
    if (!this.objects.has(key)) return false;
    const plan = this.plan(c, key);
    const before = this.#version;
    this.#failures.delete(`${c.name} ${key}`);
    for (const w of plan.writes) {
      const refused = this.refuse(w) ?? this.#write(w);
      this.#tell(w, refused);
      if (refused === undefined) continue;
      this.#failures.set(`${c.name} ${key}`, refused);
      return true;
    }
    for (const n of plan.notes ?? []) this.#note(n);
    return plan.writes.length > 0 && this.#version !== before;
  }
  #tell(w: Write, refused: string | undefined): void {
    const n = w.do === 'post' ? undefined : w.note;
    if (n === undefined) return;
    if (refused === undefined && n.message !== undefined) this.#note({ ...n, type: 'Normal', message: n.message });
    if (refused !== undefined && n.failed !== undefined)
      this.#note({ on: n.on, type: 'Warning', reason: n.failed, message: `${n.refused ?? ''}${refused}` });
  }
  #note(n: Note): void {
    this.told.push(`${n.reason}: ${n.message}`);
  }

  #write(w: Write): string | undefined {
    if (w.do === 'create') {
      if (this.objects.has(keyFor(w.object as Given))) return 'already exists';
      this.put({
        ...(structuredClone(w.object) as Given),
        ...(w.object.kind === 'Pod' ? { status: { phase: 'Pending' } } : {}),
      });
    } else if (w.do === 'update') return this.#update(w.object as Given, w.subresource);
    else if (w.do === 'delete') this.#delete(w.key);
    else if (w.do === 'patch') this.#patch(w.key, w.patch);
    else return `no ${w.do} here`;
    return undefined;
  }
  #update(o: Given, subresource: string | undefined): string | undefined {
    const old = this.objects.get(keyFor(o));
    if (old === undefined) return 'not found';
    if (o.metadata.resourceVersion !== old.metadata.resourceVersion) return 'the object has been modified';
    const next = subresource === 'status' ? { ...o, spec: old.spec } : { ...o, status: old.status };
    if (JSON.stringify(next) !== JSON.stringify(old)) this.put(structuredClone(next) as Given);
    return undefined;
  }
  /** A pod with a node ends gracefully: its node takes it away. */
  #delete(key: Key): void {
    const o = this.objects.get(key);
    const bound = o?.kind === 'Pod' && (o.spec as { nodeName?: string } | undefined)?.nodeName !== undefined;
    if (o === undefined || o.metadata.deletionTimestamp !== undefined) return;
    if (bound) this.put({ ...o, metadata: { ...o.metadata, deletionTimestamp: this.#time() } });
    else this.remove(key);
  }
  #patch(key: Key, patch: JsonObject): void {
    const { ownerReferences, uid: _, ...metadata } = (patch.metadata ?? {}) as KubeObject['metadata'];
    this.change(key, (o) => {
      const gone = (ownerReferences ?? []).filter((r) => r.$patch === 'delete').map((r) => r.uid);
      const come = (ownerReferences ?? []).filter((r) => r.$patch === undefined);
      const owners = [...(o.metadata.ownerReferences ?? []).filter((r) => !gone.includes(r.uid)), ...come];
      const next = merge(o, { ...patch, metadata }) as Given;
      return ownerReferences ? { ...next, metadata: { ...next.metadata, ownerReferences: owners } } : next;
    });
  }
  #time(): string {
    return new Date(this.now).toISOString().replace(/\.\d+/, '');
  }
}

function merge(o: Json | undefined, patch: Json | undefined): Json | undefined {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof o === 'object' && o !== null && !Array.isArray(o) ? o : {};
  return { ...base, ...Object.fromEntries(Object.entries(patch).map(([k, v]) => [k, merge(base[k], v)])) };
}

/** Plays a node: pods without one get it and run; those that are deleted go. Pods named in `never` don't get ready. */
export function kubelet(world: World, never: (pod: Given) => boolean = () => false): void {
  for (const pod of world.list('pods')) {
    const key = keyFor(pod);
    const { nodeName, affinity } = (pod.spec ?? {}) as { nodeName?: string; affinity?: JsonObject };
    if (pod.metadata.deletionTimestamp !== undefined) world.remove(key);
    else if (nodeName === undefined) {
      const [name] = JSON.stringify(affinity ?? {}).match(/(?<="values":\[")[^"]+/) ?? ['node'];
      const ready = { type: 'Ready', status: never(pod) ? 'False' : 'True', lastTransitionTime: timeOf(world) };
      world.put({
        ...pod,
        spec: { ...(pod.spec as JsonObject), nodeName: name },
        status: { phase: 'Running', conditions: [ready] },
      });
    }
  }
}
const timeOf = (world: World) => new Date(world.now).toISOString().replace(/\.\d+/, '');
