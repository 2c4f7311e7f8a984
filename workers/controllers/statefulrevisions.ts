import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { LabelRequirement } from '../../kube/meta/selectors.ts';
import type { View, Write } from '../../kube/reconcile/controller.ts';
import { applyDefaults } from '../../kube/schema/default.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { keyOf } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { claim } from './owning.ts';
import {
  byRevision,
  forget,
  newRevision,
  REVISIONS,
  type Revision,
  renumber,
  revisionHash,
  revisionName,
  revisionOf,
  templatePatch,
} from './revisions.ts';
import type { PodTemplate, StatefulSet } from './statefulpods.ts';

// The revisions of a StatefulSet: getStatefulSetRevisions and truncateHistory of pkg/controller/statefulset.

const statefulsets = needKind(kindByStorage, 'statefulsets.apps');
const HASH_LABEL = 'controller.kubernetes.io/hash';

/** A revision by its name, with the template that it keeps. */
export interface Version {
  name: string;
  template: PodTemplate;
}
export interface Revisions {
  current: Version;
  update: Version;
  collisions: number;
  all: Revision[];
  /** What brings them up to date. */
  writes: Write[];
}

/** The revision that stands, the one to be rolled out, and what is to be written for that. */
export function revisionsOf(set: StatefulSet, requirements: readonly LabelRequirement[], view: View): Revisions {
  const { rows, adopts } = claim(view, REVISIONS, statefulsets, set, requirements);
  const all = rows.map(revisionOf).sort(byRevision);
  const data = templatePatch(set.spec.template);
  const last = all.at(-1);
  const same = all.filter((r) => equalJson(r.data, data)).at(-1);
  const next = (last?.revision ?? 0) + 1;
  let collisions = set.status?.collisionCount ?? 0;
  const writes = [...adopts];
  let update: Version = { name: same?.name ?? '', template: set.spec.template };
  if (same && !equalJson(last?.data, data)) writes.push(renumber(same, next));
  if (same === undefined && last && isRestored(set, last)) update = versionOf(last, set);
  else if (same === undefined) {
    const [labelled, name, taken] = freeName(set, data, collisions, view);
    collisions = taken;
    update = { name, template: set.spec.template };
    const labels = { ...set.spec.template.metadata?.labels, [HASH_LABEL]: labelled };
    const object = newRevision(statefulsets, set, { name, labels, data, revision: next });
    if (!view.get(keyOf('apps', 'controllerrevisions', set.metadata.namespace ?? '', name)))
      writes.push({ do: 'create', object });
  } else if (equalJson(last?.data, data)) update = { name: last?.name ?? '', template: set.spec.template };
  const current = all.find((r) => r.name === set.status?.currentRevision);
  return { current: current ? versionOf(current, set) : update, update, collisions, all, writes };
}

/** CreateControllerRevision: a name that no other data has. Its label says the hash before any was taken. */
function freeName(set: StatefulSet, data: JsonObject, collisions: number, view: View): [string, string, number] {
  const { name = '', namespace = '' } = set.metadata;
  const labelled = revisionHash(data, collisions);
  for (let probe = collisions; ; probe++) {
    const candidate = revisionName(name, revisionHash(data, probe));
    const taken = view.get(keyOf('apps', 'controllerrevisions', namespace, candidate));
    if (taken === undefined || equalJson(revisionOf(taken).data, data)) return [labelled, candidate, probe];
  }
}

/** ApplyRevision: the template that a revision keeps. */
function versionOf(r: Revision, set: StatefulSet): Version {
  const kept = (r.data.spec as JsonObject | undefined)?.template as JsonObject | undefined;
  if (kept === undefined) return { name: r.name, template: set.spec.template };
  const { $patch: _, ...template } = kept;
  return { name: r.name, template: template as PodTemplate };
}

/** setMatchesLatestExistingRevision: a revision of an older release, its template defaulted as this one does, is what the set has. */
function isRestored(set: StatefulSet, last: Revision): boolean {
  const restored = structuredClone({ ...set, spec: { ...set.spec, template: versionOf(last, set).template } });
  dropEmpty(restored.spec.template);
  const stored = statefulsets.served[0];
  const struct = stored && schemas.kind(stored);
  if (struct) applyDefaults(struct, restored);
  statefulsets.default?.(restored, null, CONTEXT);
  return equalJson(restored.spec.template, set.spec.template);
}
/** Before 1.34 templates had an empty creationTimestamp. */
function dropEmpty(template: PodTemplate): void {
  if (template.metadata?.creationTimestamp === null) delete template.metadata.creationTimestamp;
}
/** Defaults depend on none of it. */
const CONTEXT = {
  now: 0,
  operation: 'update',
  subresource: '',
  version: 'v1',
  dryRun: false,
  random: () => 0,
  uuid: () => '',
} as const;

/** truncateHistory: what no pod has, and is neither current nor the update, goes beyond the limit, oldest first. */
export function forgetOld(set: StatefulSet, r: Revisions, live: ReadonlySet<string>): Write[] {
  const limit = set.spec.revisionHistoryLimit ?? 10;
  const past = r.all.filter((x) => x.name !== r.current.name && x.name !== r.update.name && !live.has(x.name));
  return limit < 0 ? [] : past.slice(0, Math.max(0, past.length - limit)).map(forget);
}
