import type { Row } from '../../kube/reconcile/controller.ts';
import { type DaemonSet, type Fit, fitOf } from './daemonnodes.ts';
import { scaled } from './owning.ts';
import { available, type Pod } from './podrow.ts';
import { REVISION_HASH } from './revisions.ts';

// rollingUpdate of pkg/controller/daemon/update.go.

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
export const GENERATION_LABEL = 'pod-template-generation';

/** The generation that older versions count; undefined where it is no number. */
export function templateGeneration(ds: DaemonSet): string | undefined {
  const text = ds.metadata.annotations?.[TEMPLATE_GENERATION];
  return text !== undefined && /^[-+]?\d+$/.test(text) ? String(Number(text)) : undefined;
}
/** IsPodUpdated: it has the present template, by its hash or by its generation. */
export function isUpdated(p: Pod, hash: string, generation: string | undefined): boolean {
  const { labels } = p.row;
  return labels[REVISION_HASH] === hash || (generation !== undefined && labels[GENERATION_LABEL] === generation);
}

const isRolling = (ds: DaemonSet) => ds.spec.updateStrategy?.type === 'RollingUpdate';
/** How many nodes may have a second pod: SurgeCount. */
export const surgeOf = (ds: DaemonSet, total: number): number =>
  isRolling(ds) ? scaled(ds.spec.updateStrategy?.rollingUpdate?.maxSurge, total, 'up') : 0;
export const allowsSurge = (ds: DaemonSet): boolean => surgeOf(ds, 1) > 0;
/** How many may go without one, where nothing surges: UnavailableCount. */
function unavailableOf(ds: DaemonSet, total: number): number {
  const n = isRolling(ds) ? scaled(ds.spec.updateStrategy?.rollingUpdate?.maxUnavailable, total, 'up') : 0;
  return total > 0 && n === 0 && surgeOf(ds, total) === 0 ? 1 : n;
}

/** Pods to delete, and nodes to make pods for. */
export interface Step {
  deletes: Pod[];
  nodes: string[];
}

/** The pods of a node that nobody deletes: at most one old, one new; undefined where there are more. */
function pairOf(pods: readonly Pod[], hash: string, generation: string | undefined) {
  const live = pods.filter((p) => !p.data.deleting);
  const fresh = live.filter((p) => isUpdated(p, hash, generation));
  const old = live.filter((p) => !isUpdated(p, hash, generation));
  return fresh.length > 1 || old.length > 1 ? undefined : { fresh: fresh[0], old: old[0] };
}

/** What a rolling update does next. `byNode`: pods of each node that has or should have one. */
export function rollingStep(
  ds: DaemonSet,
  nodes: readonly Row[],
  named: (node: Row) => string,
  given: ReadonlyMap<string, Pod[]>,
  hash: string,
  now: number,
): Step {
  const fit = fitOf(ds.spec.template);
  const byNode = new Map(given);
  const desired = nodes.filter((node) => fit(node).runs).map(named);
  for (const name of desired) if (!byNode.has(name)) byNode.set(name, []);
  const ready = (p: Pod) => available(p, ds.spec.minReadySeconds ?? 0, now);
  const surge = surgeOf(ds, desired.length);
  const rows = new Map(nodes.map((node) => [named(node), node]));
  return surge === 0
    ? replaceStep(byNode, ready, unavailableOf(ds, desired.length), hash, templateGeneration(ds))
    : surgeStep(byNode, ready, { surge, desired: desired.length, rows, fit }, hash, templateGeneration(ds));
}

/** Deletes as many old pods as may be unavailable; their nodes get new ones with the next look. */
function replaceStep(
  byNode: ReadonlyMap<string, Pod[]>,
  ready: (p: Pod) => boolean,
  max: number,
  hash: string,
  generation: string | undefined,
): Step {
  let unavailable = 0;
  const allowed: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of byNode.values()) {
    const pair = pairOf(pods, hash, generation);
    const { fresh, old } = pair ?? {};
    if (pair === undefined || (fresh === undefined) === (old === undefined)) unavailable++;
    else if (fresh) unavailable += ready(fresh) ? 0 : 1;
    else if (old && !ready(old)) {
      allowed.push(old);
      unavailable++;
    } else if (old && unavailable < max) candidates.push(old);
  }
  return { deletes: [...allowed, ...candidates.slice(0, Math.max(0, max - unavailable))], nodes: [] };
}

/** Makes new pods beside old ones; an old one goes when its new one is available. */
function surgeStep(
  byNode: ReadonlyMap<string, Pod[]>,
  ready: (p: Pod) => boolean,
  o: { surge: number; desired: number; rows: ReadonlyMap<string, Row>; fit: Fit },
  hash: string,
  generation: string | undefined,
): Step {
  const deletes: Pod[] = [];
  const misplaced: Pod[] = [];
  const allowed: string[] = [];
  const candidates: string[] = [];
  let surging = 0;
  let usable = 0;
  for (const [name, pods] of byNode) {
    const pair = pairOf(pods, hash, generation);
    if (pair === undefined) {
      surging++;
      continue;
    }
    const { fresh, old } = pair;
    const counted = old ?? fresh;
    if (counted && ready(counted)) usable++;
    if (old === undefined) continue;
    if (fresh) {
      if (ready(fresh)) deletes.push(old);
      else surging++;
      continue;
    }
    const node = o.rows.get(name);
    // Of a node that is gone the pods go without us.
    if (node === undefined) continue;
    const { runs } = o.fit(node);
    if (!ready(old)) {
      if (runs) allowed.push(name);
      else deletes.push(old);
    } else if (!runs) misplaced.push(old);
    else if (surging < o.surge) candidates.push(name);
  }
  // Nobody goes without an available pod: one on a node that isn't meant any more goes when another has come for it.
  deletes.push(...misplaced.slice(0, Math.max(0, usable - o.desired)));
  return { deletes, nodes: [...allowed, ...candidates.slice(0, Math.max(0, o.surge - surging))] };
}
