import type { JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { milliValue, quantity } from '../../kube/meta/quantity.ts';
import type { Entry, Revision } from '../../kube/store/store.ts';
import { scaled } from '../../workers/controllers/owning.ts';
import type { Sim } from './sim.ts';

// What holds at every moment.

export interface Thing {
  key: string;
  uid: string;
  revision: Revision;
  o: KubeObject;
  spec: JsonObject;
  status: JsonObject;
}
export const thingOf = (e: Entry): Thing => {
  const o = JSON.parse(e.value) as KubeObject;
  return {
    key: e.key,
    uid: e.facts.uid,
    revision: e.revision,
    o,
    spec: (o.spec ?? {}) as JsonObject,
    status: (o.status ?? {}) as JsonObject,
  };
};
export const resourceOf = (t: Thing): string => t.key.slice(0, t.key.indexOf('/'));
export const ownerUid = (t: Thing): string | undefined => t.o.metadata.ownerReferences?.find((r) => r.controller)?.uid;
export const isDeleting = (t: Thing): boolean => t.o.metadata.deletionTimestamp !== undefined;
export const hasEnded = (t: Thing): boolean => t.status.phase === 'Succeeded' || t.status.phase === 'Failed';
export const isReady = (t: Thing): boolean =>
  ((t.status.conditions ?? []) as JsonObject[]).some((c) => c.type === 'Ready' && c.status === 'True');
export const isLive = (t: Thing): boolean => !isDeleting(t) && !hasEnded(t);

/** What was seen before and must not change, or may be more for a while. */
export class Memory {
  /** By uid of a pod its node. */
  readonly nodes = new Map<string, string>();
  /** By uid of a Job its pods that succeeded. */
  readonly succeeded = new Map<string, Set<string>>();
  /** By uid of a workload the most replicas that it has had since it was last at rest. */
  readonly most = new Map<string, number>();
  /** By key and generation since when somebody should have seen to it. */
  readonly waiting = new Map<string, number>();
  /** By uid of a Deployment how many pods must be available. */
  readonly floors = new Map<string, { floor: number; replicas: number }>();
}

/** Each broken rule in one line, with the key it is about in front. */
export function broken(things: readonly Thing[], s: Sim, memory: Memory): string[] {
  const wrong: string[] = [];
  const by = Map.groupBy(things, resourceOf);
  const of = (resource: string) => by.get(resource) ?? [];
  const pods = of('pods');
  const owned = Map.groupBy(pods, (p) => ownerUid(p) ?? '');
  onceOnly(of('services'), wrong);
  for (const p of pods) staysOnItsNode(p, memory, wrong);
  for (const d of of('deployments.apps')) surge(d, of('replicasets.apps'), memory, wrong);
  if (s.o.calm) seenInTime(things, s, memory, wrong);
  if (s.o.calm) for (const d of of('deployments.apps')) staysAvailable(d, of('replicasets.apps'), owned, memory, wrong);
  for (const j of of('jobs.batch')) jobLimits(j, owned.get(j.uid) ?? [], memory, wrong);
  for (const q of of('resourcequotas')) quotaHolds(q, pods, wrong);
  atMostOne(s, wrong);
  for (const n of of('nodes')) fits(n, pods, wrong);
  for (const c of of('cronjobs.batch')) runsOnce(c, of('jobs.batch'), wrong);
  return wrong;
}

/** Nobody shares an address or a port of the nodes. */
function onceOnly(services: readonly Thing[], wrong: string[]): void {
  const taken = new Map<string, string>();
  for (const t of services) {
    const ports = ((t.spec.ports ?? []) as JsonObject[]).flatMap((p) => (p.nodePort ? [`port ${p.nodePort}`] : []));
    const { clusterIP } = t.spec;
    for (const what of [...ports, ...(clusterIP && clusterIP !== 'None' ? [`address ${clusterIP}`] : [])]) {
      const other = taken.get(what);
      if (other !== undefined) wrong.push(`${t.key}: ${what} is ${other}'s too`);
      taken.set(what, t.key);
    }
  }
}

function staysOnItsNode(p: Thing, memory: Memory, wrong: string[]): void {
  const node = String(p.spec.nodeName ?? '');
  const before = memory.nodes.get(p.uid) ?? '';
  if (before !== '' && before !== node) wrong.push(`${p.key}: was on ${before}, is on ${node}`);
  memory.nodes.set(p.uid, node);
}

/** Of a rolling update no more pods are asked for than maxSurge allows. */
function surge(d: Thing, sets: readonly Thing[], memory: Memory, wrong: string[]): void {
  const replicas = Number(d.spec.replicas ?? 1);
  const isSeen = d.status.observedGeneration === d.o.metadata.generation;
  const own = sets.filter((r) => ownerUid(r) === d.uid);
  const asked = own.reduce((n, r) => n + Number(r.spec.replicas ?? 1), 0);
  const atRest = isSeen && asked === replicas;
  // ReplicaSets of a former Deployment of its name, which were left to nobody, come with what they have.
  const born = String(d.o.metadata.creationTimestamp);
  const taken = own.filter((r) => String(r.o.metadata.creationTimestamp) < born);
  const brought = taken.reduce((n, r) => n + Number(r.spec.replicas ?? 1), 0);
  const most = atRest ? replicas : Math.max(memory.most.get(d.uid) ?? 0, replicas, brought);
  memory.most.set(d.uid, most);
  const rolling = at(d.o, 'spec.strategy.rollingUpdate.maxSurge');
  const more = rolling === undefined ? 0 : scaled(rolling, most, 'up');
  if (asked > most + more && !isDeleting(d))
    wrong.push(`${d.key}: ${asked} pods are asked for, ${most} and ${more} may be`);
}

/** How long a loop may take to see what is new. */
const SEEN_MS = 6_000;
/** Where nothing goes wrong, loops see what is new at once. */
function seenInTime(things: readonly Thing[], s: Sim, memory: Memory, wrong: string[]): void {
  const waits: string[] = [];
  for (const t of things) {
    const { generation, name } = t.o.metadata;
    const observed = t.status.observedGeneration;
    const isSeen = t.key.startsWith('namespaces/')
      ? things.some((x) => x.key === `serviceaccounts/${name}/default`) || isDeleting(t)
      : !/^(deployments|statefulsets|daemonsets|replicasets)\.apps/.test(t.key) ||
        observed === generation ||
        isDeleting(t);
    if (!isSeen) waits.push(`${t.key} ${t.uid} ${generation ?? ''}`);
  }
  for (const key of [...memory.waiting.keys()]) if (!waits.includes(key)) memory.waiting.delete(key);
  for (const key of waits) {
    const since = memory.waiting.get(key) ?? s.clock.nowMs;
    memory.waiting.set(key, since);
    const ms = s.clock.nowMs - since;
    if (ms > SEEN_MS) wrong.push(`${key.split(' ')[0]}: nobody has seen it for ${ms} ms`);
  }
}

/** Where nothing happens to pods by themselves, a rollout keeps as many available as maxUnavailable says, from when they first were. */
function staysAvailable(
  d: Thing,
  sets: readonly Thing[],
  owned: ReadonlyMap<string, readonly Thing[]>,
  memory: Memory,
  wrong: string[],
): void {
  if (isDeleting(d)) return;
  const replicas = Number(d.spec.replicas ?? 1);
  const rolling = at(d.o, 'spec.strategy.rollingUpdate') as JsonObject | undefined;
  const away = rolling ? scaled(rolling.maxUnavailable, replicas, 'down') : replicas;
  const own = sets.filter((r) => ownerUid(r) === d.uid);
  const pods = own.flatMap((r) => owned.get(r.uid) ?? []);
  const available = pods.filter((p) => isLive(p) && isReady(p)).length;
  const isDone = available === replicas && own.filter((r) => Number(r.spec.replicas) > 0).length <= 1;
  const known = memory.floors.get(d.uid) ?? { floor: 0, replicas };
  // Who scales in the middle of a rollout scales all ReplicaSets in proportion, whatever is available of each.
  const kept = known.replicas === replicas ? known.floor : 0;
  const floor = isDone ? replicas - away : Math.min(kept, replicas - away);
  memory.floors.set(d.uid, { floor, replicas });
  if (available < floor) wrong.push(`${d.key}: ${available} pods are available, ${floor} must be`);
}

function jobLimits(j: Thing, pods: readonly Thing[], memory: Memory, wrong: string[]): void {
  const parallelism = Number(j.spec.parallelism ?? 1);
  const completions = Number(j.spec.completions ?? 1);
  const active = pods.filter(isLive);
  if (active.length > parallelism) wrong.push(`${j.key}: ${active.length} pods are active, ${parallelism} may be`);
  const done = memory.succeeded.get(j.uid) ?? new Set<string>();
  memory.succeeded.set(j.uid, done);
  for (const p of pods) if (p.status.phase === 'Succeeded') done.add(p.uid);
  if (done.size > completions) wrong.push(`${j.key}: ${done.size} pods have succeeded, ${completions} were asked for`);
  if (Number(j.status.succeeded ?? 0) > completions) wrong.push(`${j.key}: status.succeeded is ${j.status.succeeded}`);
}

/** A quota is never passed, and never says less than there is. */
function quotaHolds(q: Thing, pods: readonly Thing[], wrong: string[]): void {
  const namespace = q.o.metadata.namespace;
  const used = Number(at(q.o, 'status.used.pods') ?? Number.NaN);
  if (Number.isNaN(used)) return;
  const live = pods.filter((p) => p.o.metadata.namespace === namespace && isLive(p)).length;
  if (live > used) wrong.push(`${q.key}: ${live} pods live, ${used} are counted`);
}

/** What pods on a node ask for is there. */
function fits(n: Thing, pods: readonly Thing[], wrong: string[]): void {
  const own = pods.filter((p) => p.spec.nodeName === n.o.metadata.name && !hasEnded(p));
  const cpuOf = (p: Thing) => {
    const [c] = (p.spec.containers ?? []) as JsonObject[];
    return milliValue(quantity(at(c, 'resources.requests.cpu')));
  };
  const asked = own.reduce((sum, p) => sum + cpuOf(p), 0);
  const there = milliValue(quantity(at(n.o, 'status.allocatable.cpu')));
  if (asked > there) wrong.push(`${n.key}: ${own.length} pods ask for ${asked}m, it has ${there}m`);
}

/** Unless several may run at once, one Job of a CronJob runs; and none twice for the same time. */
function runsOnce(c: Thing, jobs: readonly Thing[], wrong: string[]): void {
  const own = jobs.filter((j) => ownerUid(j) === c.uid);
  const times = own.map((j) => j.o.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']);
  if (new Set(times).size < times.length) wrong.push(`${c.key}: made two Jobs for one time`);
  const isOver = (j: Thing) =>
    ((j.status.conditions ?? []) as JsonObject[]).some(
      (x) => (x.type === 'Complete' || x.type === 'Failed') && x.status === 'True',
    );
  const running = own.filter((j) => !isOver(j) && !isDeleting(j)).length;
  if (c.spec.concurrencyPolicy !== 'Allow' && running > 1) wrong.push(`${c.key}: ${running} Jobs run at once`);
}

/** A StatefulSet's pod runs in one place. */
function atMostOne(s: Sim, wrong: string[]): void {
  const running = new Map<string, string>();
  for (const node of [...s.nodes, ...s.former])
    for (const p of node.pods.values()) {
      if (!p.running || p.by !== 'StatefulSet') continue;
      const key = `pods/${p.namespace}/${p.name}`;
      const other = running.get(key);
      if (other !== undefined) wrong.push(`${key}: runs on ${other} and on ${node.name}`);
      running.set(key, node.name);
    }
}
