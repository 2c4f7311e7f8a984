import { compareQuantities, parseQuantity, quantity, wholeValue } from '../../../kube/meta/quantity.ts';
import { matchesLabels } from '../../../kube/meta/selectors.ts';
import type { Row, Write } from '../../../kube/reconcile/controller.ts';
import { parseKey } from '../../../kube/store/key.ts';
import type { Key } from '../../../kube/store/store.ts';
import {
  type NodeInfo,
  type PodInfo,
  type Reject,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
} from '../framework.ts';
import { sameLabels } from '../nodeinfo.ts';
import {
  BOUND,
  BY_CONTROLLER,
  type Claim,
  claimKey,
  claimOf,
  className,
  classOf,
  isFor,
  mountsOf,
  reaches,
  SELECTED_NODE,
  type Storage,
  sizeOf,
  type Volume,
  volumeOf,
  waitsForConsumer,
  wantedBy,
} from '../storage.ts';
import { requirements } from '../terms.ts';

/** A provisioner of this name makes no volumes. */
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

const reject = (reason: string): Reject => ({ reasons: [reason], final: true });

interface Named {
  name: string;
  claim: Claim;
}
interface State {
  pod: PodInfo;
  storage: Storage;
  bound: readonly Claim[];
  /** Claims that get their volume where the pod goes. */
  open: readonly Named[];
  /** Volumes that they may get: all that there are. */
  volumes: readonly Row[];
}

/** What keeps a pod from every node, or its claims. */
function claimsOf(pod: PodInfo, storage: Storage): State | Reject | null {
  const mounts = mountsOf(pod.pod);
  if (mounts.length === 0) return null;
  const bound: Claim[] = [];
  const open: Named[] = [];
  let immediate = false;
  for (const { claim: name, ephemeral } of mounts) {
    const claim = claimOf(storage, pod.namespace, name);
    if (claim === undefined)
      return reject(
        ephemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : `persistentvolumeclaim "${name}" not found`,
      );
    const { volumeName = '' } = claim.spec;
    if (claim.status.phase === 'Lost')
      return reject(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volumeName}"`);
    if (claim.metadata.deletionTimestamp) return reject(`persistentvolumeclaim "${name}" is being deleted`);
    if (ephemeral && !isFor(claim, pod))
      return reject(
        `PVC ${pod.namespace}/${name} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`,
      );
    if (volumeName !== '' && claim.metadata.annotations?.[BOUND] !== undefined) bound.push(claim);
    else if (volumeName === '' && waitsForConsumer(storage, claim)) open.push({ name, claim });
    else immediate = true;
  }
  if (immediate) return reject('pod has unbound immediate PersistentVolumeClaims');
  return { pod, storage, bound, open, volumes: open.length === 0 ? [] : [...storage.list('persistentvolumes')] };
}

const isOf = (v: Volume, namespace: string, { name, claim }: Named): boolean => {
  const ref = v.spec.claimRef;
  return (
    ref !== undefined &&
    ref.name === name &&
    ref.namespace === namespace &&
    (!ref.uid || ref.uid === claim.metadata.uid)
  );
};

interface Candidate {
  name: string;
  volume: Volume;
}
/** The smallest volume that suits a claim on a node; one that is meant for it before all others. */
function match(s: State, named: Named, node: NodeInfo, taken: ReadonlySet<string>): Candidate | undefined {
  const { claim } = named;
  const wanted = wantedBy(claim);
  const selector = claim.spec.selector === undefined ? [] : requirements(claim.spec.selector);
  let best: Candidate | undefined;
  for (const row of s.volumes) {
    const v = row.data as unknown as Volume;
    const { name } = parseKey(row.key);
    const meant = isOf(v, s.pod.namespace, named);
    if (taken.has(name) || (v.spec.claimRef !== undefined && !meant) || v.metadata.deletionTimestamp) continue;
    if (compareQuantities(sizeOf(v), wanted) < 0) continue;
    if ((v.spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')) continue;
    if ((v.spec.volumeAttributesClassName ?? '') !== (claim.spec.volumeAttributesClassName ?? '')) continue;
    if (meant) return reaches(v, node) ? { name, volume: v } : undefined;
    if (v.status.phase !== 'Available' || selector === null || !matchesLabels(selector, row.labels)) continue;
    if (className(v) !== className(claim) || !reaches(v, node)) continue;
    if ((claim.spec.accessModes ?? []).some((m) => !v.spec.accessModes?.includes(m))) continue;
    if (best === undefined || compareQuantities(sizeOf(best.volume), sizeOf(v)) > 0) best = { name, volume: v };
  }
  return best;
}

interface Capacity {
  storageClassName?: string;
  capacity?: string;
  maximumVolumeSize?: string;
  nodeTopology?: Parameters<typeof requirements>[0];
}
/** Room of a class on a node; undefined where its driver doesn't say how much there is. */
function capacityOf(s: State, claim: Claim, provisioner: string, node: NodeInfo): Capacity | 'none' | undefined {
  if (claim.spec.resources?.requests?.storage === undefined) return undefined;
  const driver = s.storage.get(`csidrivers.storage.k8s.io/${provisioner}`)?.data as
    | { spec?: { storageCapacity?: boolean } }
    | undefined;
  if (driver?.spec?.storageCapacity !== true) return undefined;
  for (const row of s.storage.list('csistoragecapacities.storage.k8s.io')) {
    const c = row.data as unknown as Capacity;
    const limit = c.maximumVolumeSize ?? c.capacity;
    if (c.storageClassName !== className(claim) || limit === undefined) continue;
    const where = requirements(c.nodeTopology);
    if (where === null || !matchesLabels(where, node.labels)) continue;
    if (compareQuantities(quantity(limit), wantedBy(claim)) >= 0) return c;
  }
  return 'none';
}

interface Found {
  fixed: { named: Named; to: Candidate }[];
  made: { named: Named; capacity: Capacity | undefined }[];
}
/** Where the open claims of a pod get their volumes on a node, or why they don't. */
function find(s: State, node: NodeInfo): Found | Reject {
  const found: Found = { fixed: [], made: [] };
  const reasons: string[] = [];
  const volumes = s.bound.map((c) => volumeOf(s.storage, c.spec.volumeName ?? ''));
  const lost = volumes.indexOf(undefined);
  const far = volumes.findIndex((v) => v !== undefined && !reaches(v, node));
  // The first of either ends the look.
  const missing = lost >= 0 && (far < 0 || lost < far);
  if (far >= 0 && !missing) reasons.push("node(s) didn't match PersistentVolume's node affinity");
  const open = findOpen(s, node, found);
  if (open) reasons.push(open);
  if (missing) reasons.push('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
  return reasons.length > 0 ? { reasons, final: true } : found;
}
function findOpen(s: State, node: NodeInfo, found: Found): string | undefined {
  const NO_VOLUME = "node(s) didn't find available persistent volumes to bind";
  const taken = new Set<string>();
  const provision: Named[] = [];
  const toMatch: Named[] = [];
  for (const named of s.open) {
    const selected = named.claim.metadata.annotations?.[SELECTED_NODE];
    if (selected === undefined) toMatch.push(named);
    else if (selected !== node.name) return NO_VOLUME;
    else provision.push(named);
  }
  for (const named of toMatch.sort((a, b) => compareQuantities(wantedBy(a.claim), wantedBy(b.claim)))) {
    const to = match(s, named, node, taken);
    if (to === undefined) {
      provision.push(named);
      continue;
    }
    taken.add(to.name);
    found.fixed.push({ named, to });
  }
  for (const named of provision) {
    const c = classOf(s.storage, className(named.claim));
    if (!c?.provisioner || c.provisioner === NO_PROVISIONER || !allows(c.allowedTopologies, node)) return NO_VOLUME;
    const capacity = capacityOf(s, named.claim, c.provisioner, node);
    if (capacity === 'none') return 'node(s) did not have enough free storage';
    found.made.push({ named, capacity });
  }
  return undefined;
}
const allows = (
  terms: readonly { matchLabelExpressions?: { key: string; values: string[] }[] }[] | undefined,
  node: NodeInfo,
): boolean =>
  terms === undefined ||
  terms.length === 0 ||
  terms.some((t) => (t.matchLabelExpressions ?? []).every((e) => e.values.includes(node.labels[e.key] ?? '')));

/** What has to be written so that a pod's open claims get their volumes on this node; undefined where there are none. */
export function volumeWrites(pod: PodInfo, node: NodeInfo, snapshot: Snapshot): Write[] | undefined {
  const s = claimsOf(pod, snapshot.storage);
  if (s === null || 'reasons' in s || s.open.length === 0) return undefined;
  const found = find(s, node);
  if ('reasons' in found) return undefined;
  const writes: Write[] = [];
  for (const { named, to } of found.fixed) {
    if (isOf(to.volume, pod.namespace, named) && to.volume.spec.claimRef?.uid) continue;
    const { uid } = named.claim.metadata;
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace: pod.namespace,
      name: named.name,
      uid: uid ?? '',
    };
    const mine = to.volume.spec.claimRef === undefined ? { metadata: { annotations: { [BY_CONTROLLER]: 'yes' } } } : {};
    writes.push({ do: 'patch', key: `persistentvolumes/${to.name}`, patch: { ...mine, spec: { claimRef } } });
  }
  for (const { named } of found.made) {
    if (named.claim.metadata.annotations?.[SELECTED_NODE] === node.name) continue;
    const patch = { metadata: { annotations: { [SELECTED_NODE]: node.name } } };
    writes.push({ do: 'patch', key: claimKey(pod.namespace, named.name), patch });
  }
  return writes;
}

/** Whether a row is one of the claims that a pod mounts. */
export const mounts = (pod: PodInfo, key: Key): boolean =>
  mountsOf(pod.pod).some((m) => claimKey(pod.namespace, m.claim) === key);

/** How much of what there is a pod's volumes would take, by class: the less the better (storage capacity scoring). */
function scoreOf(found: Found): number {
  const byClass = new Map<string, { wanted: number; there: number }>();
  const count = (claim: Claim, there: string | undefined) => {
    const c = byClass.get(className(claim)) ?? { wanted: 0, there: 0 };
    const q = parseQuantity(there ?? '0');
    c.wanted += wholeValue(wantedBy(claim));
    c.there += q === null ? 0 : wholeValue(q);
    byClass.set(className(claim), c);
  };
  if (found.fixed.length > 0) for (const f of found.fixed) count(f.named.claim, f.to.volume.spec.capacity?.storage);
  else for (const m of found.made) if (m.capacity) count(m.named.claim, m.capacity.capacity);
  if (byClass.size === 0) return 0;
  let sum = 0;
  for (const { wanted, there } of byClass.values())
    sum += SCORE_MAX - (there === 0 || wanted > there ? SCORE_MAX : Math.trunc((wanted * SCORE_MAX) / there));
  return Math.round(sum / byClass.size);
}

/** Claims: those that are bound say where their volumes are, others get theirs where the pod goes. */
export const volumebinding: SchedulerPlugin<State, State> = {
  name: 'VolumeBinding',
  retryOn: {
    node: (_, before, after) => after !== undefined && (before === undefined || !sameLabels(before, after)),
    storage: (pod, key) => !key.startsWith('persistentvolumeclaims/') || mounts(pod, key),
  },
  prepare: (pod, { storage }) => claimsOf(pod, storage),
  filter(s, node) {
    const found = find(s, node);
    return 'reasons' in found ? found : undefined;
  },
  weight: 1,
  prepareScore(pod, _, { storage }) {
    const s = claimsOf(pod, storage);
    return s === null || 'reasons' in s || s.open.length === 0 ? null : s;
  },
  score(s, node) {
    const found = find(s, node);
    return 'reasons' in found ? 0 : scoreOf(found);
  },
};
