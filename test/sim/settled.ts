import type { JsonObject } from '../../kube/meta/json.ts';
import { at } from '../../kube/meta/object.ts';
import { hasEnded, isDeleting, isLive, isReady, ownerUid, resourceOf, type Thing } from './invariants.ts';
import type { Sim } from './sim.ts';

// What must be so some time after nothing goes wrong any more.

/** What isn't as it should be yet, each with the key it is about in front. */
export function unsettled(things: readonly Thing[], s: Sim): string[] {
  const wrong: string[] = [];
  const by = Map.groupBy(things, resourceOf);
  const of = (resource: string) => by.get(resource) ?? [];
  const uids = new Set(things.map((t) => t.uid));
  const pods = of('pods');
  const owned = Map.groupBy(pods, (p) => ownerUid(p) ?? '');
  for (const t of things) whole(t, uids, wrong);
  for (const p of pods) podIsWell(p, s, wrong);
  for (const d of of('deployments.apps')) deploymentIsDone(d, of('replicasets.apps'), wrong);
  for (const r of of('replicasets.apps')) count(r, (owned.get(r.uid) ?? []).filter(isLive).length, 'replicas', wrong);
  for (const t of of('statefulsets.apps')) statefulSetIsDone(t, owned.get(t.uid) ?? [], wrong);
  for (const t of of('daemonsets.apps')) daemonSetIsDone(t, owned.get(t.uid) ?? [], s, wrong);
  for (const j of of('jobs.batch')) jobIsDone(j, owned.get(j.uid) ?? [], wrong);
  for (const svc of of('services')) servesItsPods(svc, pods, of('endpointslices.discovery.k8s.io'), wrong);
  for (const b of of('poddisruptionbudgets.policy')) budgetKnows(b, pods, wrong);
  for (const q of of('resourcequotas')) quotaKnows(q, pods, wrong);
  return wrong;
}

/** Nothing waits for its end, and no owner is missing. */
function whole(t: Thing, uids: ReadonlySet<string>, wrong: string[]): void {
  if (t.key.startsWith('garbage/')) wrong.push(`${t.key}: the collector isn't done`);
  if (isDeleting(t)) wrong.push(`${t.key}: is being deleted (${t.o.metadata.finalizers?.join() ?? ''})`);
  for (const r of t.o.metadata.ownerReferences ?? [])
    if (!uids.has(r.uid)) wrong.push(`${t.key}: its owner ${r.kind} ${r.name} isn't there`);
}
function podIsWell(p: Thing, s: Sim, wrong: string[]): void {
  if (hasEnded(p)) return;
  // What a DaemonSet left to nobody may be for a node that has gone.
  const text = JSON.stringify(p.spec.affinity ?? {});
  if (text.includes('metadata.name') && !s.nodes.some((n) => text.includes(`"${n.name}"`))) return;
  if (!p.spec.nodeName) wrong.push(`${p.key}: has no node`);
  else if (!isReady(p)) wrong.push(`${p.key}: isn't ready`);
}
function count(t: Thing, has: number, member: string, wrong: string[]): void {
  const wants = Number(t.spec[member] ?? 1);
  if (has !== wants) wrong.push(`${t.key}: has ${has} pods, wants ${wants}`);
  for (const m of ['replicas', 'readyReplicas', 'availableReplicas'])
    if (Number(t.status[m] ?? 0) !== wants) wrong.push(`${t.key}: status.${m} is ${t.status[m] ?? 0}, wants ${wants}`);
}
const isSeen = (t: Thing, wrong: string[]) => {
  if (t.status.observedGeneration !== t.o.metadata.generation) wrong.push(`${t.key}: its generation isn't seen`);
};

function deploymentIsDone(d: Thing, sets: readonly Thing[], wrong: string[]): void {
  const wants = Number(d.spec.replicas ?? 1);
  isSeen(d, wrong);
  const own = sets.filter((r) => ownerUid(r) === d.uid);
  const version = at(d.o, 'spec.template.metadata.annotations.version');
  const current = own.filter((r) => at(r.o, 'spec.template.metadata.annotations.version') === version);
  if (current.length !== 1) wrong.push(`${d.key}: ${current.length} ReplicaSets have its template`);
  for (const r of own)
    if (Number(r.spec.replicas ?? 1) !== (current.includes(r) ? wants : 0))
      wrong.push(`${r.key}: wants ${r.spec.replicas}`);
  for (const m of ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'])
    if (Number(d.status[m] ?? 0) !== wants) wrong.push(`${d.key}: status.${m} is ${d.status[m] ?? 0}, wants ${wants}`);
}

function statefulSetIsDone(t: Thing, pods: readonly Thing[], wrong: string[]): void {
  isSeen(t, wrong);
  const wants = Number(t.spec.replicas ?? 1);
  const names = pods.map((p) => p.o.metadata.name).sort();
  const wanted = Array.from({ length: wants }, (_, i) => `${t.o.metadata.name}-${i}`).sort();
  if (names.join() !== wanted.join()) wrong.push(`${t.key}: has ${names.join()}, wants ${wanted.join()}`);
  for (const m of ['replicas', 'readyReplicas', 'updatedReplicas', 'availableReplicas'])
    if (Number(t.status[m] ?? 0) !== wants) wrong.push(`${t.key}: status.${m} is ${t.status[m] ?? 0}, wants ${wants}`);
  ofTemplate(t, pods, wrong);
}
function ofTemplate(t: Thing, pods: readonly Thing[], wrong: string[]): void {
  const version = at(t.o, 'spec.template.metadata.annotations.version');
  // A DaemonSet takes pods of a former one of its name for its own where both are of as many templates, as upstream does.
  const generation = t.o.metadata.annotations?.['deprecated.daemonset.template.generation'];
  const isCounted = (p: Thing) =>
    generation !== undefined && p.o.metadata.labels?.['pod-template-generation'] === generation;
  for (const p of pods)
    if (isLive(p) && p.o.metadata.annotations?.version !== version && !isCounted(p))
      wrong.push(`${p.key}: is of an old template`);
}

function daemonSetIsDone(t: Thing, pods: readonly Thing[], s: Sim, wrong: string[]): void {
  isSeen(t, wrong);
  const nodes = pods
    .filter(isLive)
    .map((p) => String(p.spec.nodeName))
    .sort();
  const wanted = s.nodes.map((n) => n.name).sort();
  if (nodes.join() !== wanted.join()) wrong.push(`${t.key}: is on ${nodes.join()}, wants ${wanted.join()}`);
  for (const m of [
    'desiredNumberScheduled',
    'currentNumberScheduled',
    'numberReady',
    'updatedNumberScheduled',
    'numberAvailable',
  ])
    if (Number(t.status[m] ?? 0) !== wanted.length) wrong.push(`${t.key}: status.${m} is ${t.status[m] ?? 0}`);
  ofTemplate(t, pods, wrong);
}

function jobIsDone(j: Thing, pods: readonly Thing[], wrong: string[]): void {
  const conditions = (j.status.conditions ?? []) as JsonObject[];
  const over = conditions.find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
  if (over === undefined) wrong.push(`${j.key}: isn't over`);
  else if (over.type === 'Complete' && Number(j.status.succeeded ?? 0) !== Number(j.spec.completions ?? 1))
    wrong.push(`${j.key}: is complete with ${j.status.succeeded ?? 0} of ${j.spec.completions}`);
  for (const p of pods)
    if (p.o.metadata.finalizers?.length) wrong.push(`${p.key}: keeps its finalizer though its Job is over`);
}

/** Its EndpointSlices have the addresses of the ready pods that it selects. */
function servesItsPods(svc: Thing, pods: readonly Thing[], slices: readonly Thing[], wrong: string[]): void {
  const selector = svc.spec.selector as Record<string, string> | undefined;
  if (selector === undefined) return;
  const { namespace, name } = svc.o.metadata;
  const selected = pods.filter(
    (p) =>
      p.o.metadata.namespace === namespace &&
      isLive(p) &&
      isReady(p) &&
      Object.entries(selector).every(([k, v]) => p.o.metadata.labels?.[k] === v),
  );
  const wanted = selected.map((p) => String(p.status.podIP)).sort();
  const own = slices.filter(
    (e) => e.o.metadata.namespace === namespace && e.o.metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  const has = own
    .flatMap((e) => (e.o.endpoints ?? []) as { addresses: string[]; conditions: { ready?: boolean } }[])
    .filter((e) => e.conditions.ready)
    .flatMap((e) => e.addresses)
    .sort();
  if (has.join() !== wanted.join()) wrong.push(`${svc.key}: leads to ${has.join()}, wants ${wanted.join()}`);
}

function budgetKnows(b: Thing, pods: readonly Thing[], wrong: string[]): void {
  const labels = at(b.o, 'spec.selector.matchLabels') as Record<string, string>;
  const healthy = pods.filter(
    (p) =>
      p.o.metadata.namespace === b.o.metadata.namespace &&
      !isDeleting(p) &&
      isReady(p) &&
      Object.entries(labels).every(([k, v]) => p.o.metadata.labels?.[k] === v),
  ).length;
  if (Number(b.status.currentHealthy ?? -1) !== healthy)
    wrong.push(`${b.key}: status.currentHealthy is ${b.status.currentHealthy}, ${healthy} are`);
}

function quotaKnows(q: Thing, pods: readonly Thing[], wrong: string[]): void {
  const live = pods.filter((p) => p.o.metadata.namespace === q.o.metadata.namespace && !hasEnded(p)).length;
  const used = at(q.o, 'status.used.pods');
  if (used !== String(live)) wrong.push(`${q.key}: status.used.pods is ${used}, there are ${live}`);
}
