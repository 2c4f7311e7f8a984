import type { User } from '../../api/attributes.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Entry } from '../../kube/store/store.ts';
import type { Isolate, SimCluster } from './cluster.ts';

const TICK_MS = 1_000;
const START_MS_MAX = 4_000;
const STOP_MS_MAX = 2_000;
/** How long the pod of a Job works, at least and at most. */
const WORK_MS = [2_000, 15_000] as const;
/** Of Jobs' pods so many fail. */
const FAILING = 0.15;
const UNREADY_MS = 4_000;

/** A pod as its node runs it. */
interface Held {
  namespace: string;
  name: string;
  uid: string;
  /** apiVersion and kind of its controller. */
  by: string;
  ip: string;
  running: boolean;
  ready: boolean;
  /** When it starts, ends, is ready again, stops. */
  startAt: number;
  endAt: number;
  readyAt: number;
  stopAt: number;
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  restarts: number;
  /** The API knows how it is. */
  told: boolean;
  /** The version that was looked at last. */
  revision: number;
}

/** A node: its machine, its link, and what runs on it. */
export class SimNode {
  readonly name: string;
  readonly pods = new Map<string, Held>();
  /** The machine runs. */
  on = true;
  /** It reaches the control plane. */
  linked = true;
  heardMs = 0;
  /** Pods become unready by themselves. */
  flaps = 0;
  readonly #c: SimCluster;
  readonly #index: number;
  readonly #user: User;
  readonly #isolate: Isolate;
  #ips = 1;
  #busy = false;
  #gone = false;

  constructor(c: SimCluster, index: number, isolate: Isolate) {
    this.#c = c;
    this.#index = index;
    this.name = `n${index}`;
    this.#isolate = isolate;
    this.#user = { name: `system:node:${this.name}`, groups: ['system:nodes', 'system:authenticated'] };
    this.heardMs = c.clock.nowMs;
    this.#later();
  }

  get reachable(): boolean {
    return this.on && this.linked;
  }
  /** Never comes back. */
  remove(): void {
    this.#gone = true;
    this.off();
  }
  off(): void {
    this.on = false;
    for (const p of this.pods.values()) p.running = false;
  }
  /** Starts again: containers of pods that are still its own run again. */
  up(): void {
    this.on = true;
    this.linked = true;
    const { nowMs } = this.#c.clock;
    for (const p of this.pods.values()) {
      if (p.phase === 'Running') Object.assign(p, { phase: 'Pending', ready: false, restarts: p.restarts + 1 });
      Object.assign(p, { told: false, startAt: nowMs + this.#upTo(START_MS_MAX) });
    }
  }

  /** Says that the node is well, as a kubelet does when it begins. */
  async report(): Promise<boolean> {
    const now = formatTime(this.#c.clock.nowMs);
    const types = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'];
    const conditions = types.map((type) => ({
      type,
      status: type === 'Ready' ? 'True' : 'False',
      reason: 'Kubelet',
      message: '',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    }));
    const { code } = await this.#patch(`/api/v1/nodes/${this.name}/status`, { status: { conditions } });
    return code === 200;
  }

  #later(): void {
    this.#c.clock.after(TICK_MS / 2 + this.#upTo(TICK_MS), () => {
      if (this.#gone) return;
      this.#later();
      if (!this.reachable || this.#busy) return;
      this.#busy = true;
      this.heardMs = this.#c.clock.nowMs;
      void this.#tick().finally(() => {
        this.#busy = false;
      });
    });
  }
  #upTo = (ms: number) => this.#c.clock.random() * ms;

  async #tick(): Promise<void> {
    const rows = await this.#c.main.related('node', this.name);
    const there = new Set<string>();
    for (const row of rows) {
      if (!row.key.startsWith('pods/')) continue;
      there.add(row.facts.uid);
      await this.#see(row);
      if (!this.reachable) return;
    }
    for (const [uid, p] of this.pods) if (!there.has(uid)) this.#drop(p);
  }
  /** It has gone from the API: whatever runs of it stops. */
  #drop(p: Held): void {
    p.running = false;
    this.pods.delete(p.uid);
  }

  async #see(row: Entry): Promise<void> {
    const { nowMs } = this.#c.clock;
    const held = this.pods.get(row.facts.uid) ?? this.#take(row);
    if (row.facts.terminating) return this.#end(held);
    this.#live(held, nowMs);
    // Somebody else may have said that it isn't ready: the node was away.
    if (held.told && held.revision !== row.revision && held.phase !== 'Pending')
      held.told = saysReady(row) === held.ready;
    held.revision = row.revision;
    if (held.told) return;
    const { code } = await this.#patch(`${pathOf(held)}/status`, statusOf(held, nowMs));
    held.told = code === 200;
  }
  #take(row: Entry): Held {
    const pod = JSON.parse(row.value) as KubeObject;
    const owner = pod.metadata.ownerReferences?.find((r) => r.controller);
    const phase = String(at(pod, 'status.phase') ?? 'Pending') as Held['phase'];
    const held: Held = {
      namespace: pod.metadata.namespace ?? '',
      name: pod.metadata.name ?? '',
      uid: row.facts.uid,
      by: owner ? owner.kind : '',
      ip: `10.${this.#index}.${Math.floor(this.#ips / 250)}.${(this.#ips++ % 250) + 1}`,
      running: false,
      ready: false,
      startAt: this.#c.clock.nowMs + this.#upTo(START_MS_MAX),
      endAt: Number.POSITIVE_INFINITY,
      readyAt: 0,
      stopAt: 0,
      phase: phase === 'Running' ? 'Pending' : phase,
      restarts: 0,
      told: true,
      revision: 0,
    };
    this.pods.set(held.uid, held);
    return held;
  }
  /** What happens to a pod by itself. */
  #live(p: Held, now: number): void {
    if (p.phase === 'Pending' && now >= p.startAt) {
      Object.assign(p, { phase: 'Running', running: true, ready: true, told: false });
      if (p.by === 'Job') p.endAt = now + WORK_MS[0] + this.#upTo(WORK_MS[1] - WORK_MS[0]);
    }
    if (p.phase !== 'Running') return;
    if (now >= p.endAt) {
      const phase = this.#c.clock.random() < FAILING ? 'Failed' : 'Succeeded';
      Object.assign(p, { phase, running: false, ready: false, told: false });
    } else if (!p.ready && now >= p.readyAt) Object.assign(p, { ready: true, told: false });
    else if (this.flaps > 0 && this.#c.clock.random() < this.flaps)
      Object.assign(p, { ready: false, readyAt: now + UNREADY_MS, told: false });
  }

  async #end(p: Held): Promise<void> {
    const { nowMs } = this.#c.clock;
    p.stopAt ||= nowMs + this.#upTo(STOP_MS_MAX);
    if (nowMs < p.stopAt) return;
    p.running = false;
    const body = { gracePeriodSeconds: 0, preconditions: { uid: p.uid } };
    const { code } = await this.#c.ask(this.#isolate, this.#user, 'DELETE', pathOf(p), body);
    if (code === 404) this.#drop(p);
  }

  #patch(path: string, body: JsonObject) {
    return this.#c.ask(this.#isolate, this.#user, 'PATCH', path, body, 'application/merge-patch+json');
  }
}

function saysReady(row: Entry): boolean {
  const conditions = (at(JSON.parse(row.value) as KubeObject, 'status.conditions') ?? []) as JsonObject[];
  return conditions.some((c) => c.type === 'Ready' && c.status === 'True');
}
const pathOf = (p: Held) => `/api/v1/namespaces/${p.namespace}/pods/${p.name}`;

function statusOf(p: Held, nowMs: number): JsonObject {
  const now = formatTime(nowMs);
  const condition = (type: string, is: boolean) => ({
    type,
    status: is ? 'True' : 'False',
    lastTransitionTime: now,
    lastProbeTime: null,
  });
  const ended = { terminated: { exitCode: p.phase === 'Failed' ? 1 : 0, finishedAt: now, reason: 'Completed' } };
  const over = p.phase === 'Succeeded' || p.phase === 'Failed';
  const status = {
    phase: p.phase,
    podIP: p.ip,
    podIPs: [{ ip: p.ip }],
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', p.ready),
      condition('Ready', p.ready),
    ],
    containerStatuses: [
      {
        name: 'c',
        image: 'i',
        imageID: 'i',
        ready: p.ready,
        restartCount: p.restarts,
        state: over ? ended : { running: { startedAt: now } },
      },
    ],
  };
  return { metadata: { uid: p.uid }, status };
}
