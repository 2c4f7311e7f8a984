import { isObject, type JsonObject } from '../../../kube/meta/json.ts';
import type { KubeObject } from '../../../kube/meta/object.ts';
import { LATER, type Plan, type Row, type View, type Write } from '../../../kube/reconcile/controller.ts';
import { sameRow } from '../../../kube/reconcile/row.ts';
import { resourceOfKey } from '../../../kube/store/key.ts';
import type { Key } from '../../../kube/store/store.ts';
import { type Given, keyFor } from '../../controllers/testing/view.ts';
import { scheduler } from '../index.ts';

type Body = KubeObject & { spec?: JsonObject; status?: JsonObject };

/** A cluster that the scheduler works in: rows that move, a queue with times, and plans that come true. */
export class World {
  now = Date.parse('2026-11-21T12:00:00Z');
  readonly objects = new Map<Key, Body>();
  /** How many pods were tried in all: plans with writes, or with none. */
  tried = 0;
  readonly events: string[] = [];
  /** Is told of each pod before it gets its node. */
  onBind: (pod: Body, node: string) => void = () => undefined;
  readonly #rows = new Map<Key, Row>();
  readonly #moved = new Map<string, Set<Key>>();
  readonly #due = new Map<Key, number>();
  #revision = 0;
  #decided = 0;
  #clock: () => number = () => 0;
  readonly view: View;

  constructor() {
    const world = this;
    this.view = {
      get revision() {
        return world.#revision;
      },
      get now() {
        return world.now;
      },
      get: (key: Key) => world.#rows.get(key),
      list: (resource: string, namespace?: string) => world.#list(resource, namespace),
      owned: () => [],
      orphans: () => [],
      moved(resource: string) {
        const keys = world.#moved.get(resource);
        world.#moved.set(resource, new Set());
        return keys;
      },
      memory: new Map(),
      results: new Map(),
      failure: undefined,
      suffix: () => '',
    };
  }

  put(o: Given): void {
    const key = keyFor(o);
    this.objects.set(key, o as Body);
    this.#change(key, o);
  }
  edit(key: Key, f: (o: Body) => void): void {
    const o = this.objects.get(key);
    if (o === undefined) throw new Error(`there is no ${key}`);
    const next = structuredClone(o);
    f(next);
    this.put(next as Given);
  }
  remove(key: Key): void {
    const last = this.#rows.get(key);
    this.objects.delete(key);
    this.#rows.delete(key);
    this.#move(key);
    if (last) this.#dirty(last);
  }
  nodeOf(name: string, namespace = 'default'): string | undefined {
    return this.objects.get(`pods/${namespace}/${name}`)?.spec?.nodeName as string | undefined;
  }
  /** What a pod was told last. */
  told(name: string): string {
    const status = this.objects.get(`pods/default/${name}`)?.status as { conditions?: JsonObject[] } | undefined;
    return String(status?.conditions?.find((c) => c.type === 'PodScheduled')?.message ?? '');
  }
  /** When the next key is due; undefined: nothing is left to do. */
  nextDue(): number | undefined {
    return this.#due.size === 0 ? undefined : Math.min(...this.#due.values());
  }

  /** One plan of what is due now; false where nothing is. `refuse` says which writes fail. */
  round(refuse: (w: Write) => boolean = () => false): boolean {
    const keys = [...this.#due].filter(([, due]) => due <= this.now).map(([key]) => key);
    if (keys.length === 0) return false;
    const began = this.#clock();
    const plans = scheduler.reconcileAll?.(keys, this.view) ?? new Map<Key, Plan>();
    this.#decided += this.#clock() - began;
    // What comes of a plan is heard of after it.
    for (const key of keys) {
      const plan = plans.get(key);
      if (plan === LATER) continue;
      if (plan?.again === undefined) this.#due.delete(key);
      else this.#due.set(key, this.now + plan.again);
    }
    // In the order in which they were decided: each counts on those before it.
    for (const [key, plan] of plans) if (plan !== LATER) this.#apply(key, plan, refuse);
    return true;
  }
  /** As round(), and how long deciding took by the clock; undefined: nothing is due. */
  decide(clock: () => number): number | undefined {
    this.#clock = clock;
    this.#decided = 0;
    return this.round() ? this.#decided : undefined;
  }
  /** Until nothing is due. */
  run(refuse?: (w: Write) => boolean): void {
    let left = 10_000;
    while (this.round(refuse)) if (--left === 0) throw new Error('the scheduler never rests');
  }
  pass(ms: number): void {
    this.now += ms;
    this.run();
  }

  #apply(key: Key, plan: Plan, refuse: (w: Write) => boolean): void {
    if (plan.writes.length > 0) this.tried++;
    for (const w of plan.writes) {
      if (!refuse(w)) {
        this.#write(w);
        continue;
      }
      this.#due.set(key, this.now + 5);
      return;
    }
    for (const n of plan.notes ?? []) this.events.push(`${n.reason} ${n.on.slice(n.on.lastIndexOf('/') + 1)}`);
  }
  #write(w: Write): void {
    if (w.do === 'post') {
      const node = (w.body as unknown as { target: { name: string } }).target.name;
      this.onBind(this.objects.get(w.key) as Body, node);
      this.edit(w.key, (o) => {
        o.spec = { ...o.spec, nodeName: node };
        delete o.status?.nominatedNodeName;
      });
    } else if (w.do === 'patch' && w.subresource === 'status') this.edit(w.key, (o) => patchStatus(o, w.patch));
    else if (w.do === 'patch') this.edit(w.key, (o) => merge(o as unknown as JsonObject, w.patch));
    else if (w.do === 'delete')
      this.edit(w.key, (o) => {
        o.metadata.deletionTimestamp = new Date(this.now).toISOString();
      });
  }

  #change(key: Key, o: Given): void {
    const old = this.#rows.get(key);
    const { apiVersion: _, kind: __, ...body } = o;
    const project = scheduler.project?.[resourceOfKey(key)];
    const row: Row = {
      key,
      revision: ++this.#revision,
      uid: o.metadata.uid ?? key,
      labels: o.metadata.labels ?? {},
      owner: '',
      data: project ? project(o) : (body as unknown as JsonObject),
    };
    this.#rows.set(key, row);
    this.#move(key);
    if (old && sameRow(old, row)) return;
    const spec = (o as unknown as Body).spec;
    if (o.kind === 'Pod' && !spec?.nodeName && (spec?.schedulerName ?? 'default-scheduler') === 'default-scheduler')
      this.#due.set(key, this.now);
    this.#dirty(row, old);
  }
  #dirty(row: Row, before?: Row): void {
    const kind = row.key.slice(0, row.key.indexOf('/'));
    for (const w of scheduler.watches ?? [])
      if (kind.startsWith(w.kind.plural))
        for (const key of w.map(row, this.view, before)) if (this.#rows.has(key)) this.#due.set(key, this.now);
  }
  #move(key: Key): void {
    this.#moved.get(resourceOfKey(key))?.add(key);
  }
  #list(resource: string, namespace?: string): Row[] {
    const prefix = namespace === undefined ? `${resource}/` : `${resource}/${namespace}/`;
    return [...this.#rows.values()].filter((r) => r.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

function merge(into: JsonObject, patch: JsonObject): void {
  for (const [k, v] of Object.entries(patch)) {
    const old = into[k];
    if (isObject(v) && isObject(old)) merge(old, v);
    else into[k] = v;
  }
}
function patchStatus(o: Body, patch: JsonObject): void {
  const { conditions, ...rest } = patch.status as { conditions?: JsonObject[] } & JsonObject;
  const status = { ...o.status } as { conditions?: JsonObject[] } & JsonObject;
  for (const c of conditions ?? [])
    status.conditions = [...(status.conditions ?? []).filter((old) => old.type !== c.type), c];
  for (const [k, v] of Object.entries(rest))
    if (v === null) delete status[k];
    else status[k] = v;
  o.status = status;
}
