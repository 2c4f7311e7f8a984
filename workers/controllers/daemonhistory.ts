import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson } from '../../kube/meta/json.ts';
import type { LabelRequirement } from '../../kube/meta/selectors.ts';
import type { View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { DaemonSet } from './daemonnodes.ts';
import { needKind } from './kind.ts';
import { claim } from './owning.ts';
import type { Pod } from './podrow.ts';
import {
  forget,
  newRevision,
  REVISION_HASH,
  REVISIONS,
  type Revision,
  renumber,
  revisionOf,
  templateHash,
  templatePatch,
} from './revisions.ts';

// The revisions of a DaemonSet: constructHistory and cleanupHistory of pkg/controller/daemon/update.go.

const daemonsets = needKind(kindByStorage, 'daemonsets.apps');

/** The hash of the present template's revision, what brings the history up to date, and the revisions before. */
export interface History {
  hash: string;
  writes: Write[];
  old: Revision[];
}
/** `taken`: another revision has the name that this one would have. */
export function historyOf(
  ds: DaemonSet,
  requirements: readonly LabelRequirement[],
  pods: readonly Pod[],
  view: View,
): History | 'taken' {
  const { rows, adopts, releases } = claim(view, REVISIONS, daemonsets, ds, requirements);
  const writes = [...releases, ...adopts];
  const data = templatePatch(ds.spec.template);
  const all = rows.map(revisionOf);
  writes.push(...all.filter((r) => hashOf(r) === undefined).map((r) => label(r.row.key, r.row.uid, r.name)));
  const same = all.filter((r) => equalJson(r.data, data));
  const old = all.filter((r) => !same.includes(r));
  const next = Math.max(0, ...old.map((r) => r.revision)) + 1;
  if (same.length === 0) return create(ds, next, { writes, old }, view);
  const current = same.reduce((kept, r) => (r.revision >= kept.revision ? r : kept));
  const hash = hashOf(current) ?? current.name;
  if (same.length > 1) writes.push(...withoutTwins(same, current, hash, pods));
  if (current.revision < next) writes.push(renumber(current, next));
  return { hash, writes, old };
}
const hashOf = (r: Revision): string | undefined => r.row.labels[REVISION_HASH];
const label = (key: string, uid: string, hash: string): Write => ({
  do: 'patch',
  key,
  type: 'merge',
  patch: { metadata: { uid, labels: { [REVISION_HASH]: hash } } },
});
/** dedupCurHistories: pods are told which of several equal revisions stays, then the others go. */
const withoutTwins = (same: readonly Revision[], kept: Revision, hash: string, pods: readonly Pod[]): Write[] => [
  ...pods.filter((p) => p.row.labels[REVISION_HASH] !== hash).map((p) => label(p.row.key, p.row.uid, hash)),
  ...same.filter((r) => r !== kept).map(forget),
];

function create(ds: DaemonSet, revision: number, h: Omit<History, 'hash'>, view: View): History | 'taken' {
  const { name = '', namespace = '' } = ds.metadata;
  const hash = templateHash(ds.spec.template, ds.status?.collisionCount);
  const labels = { ...ds.spec.template.metadata?.labels, [REVISION_HASH]: hash };
  const data = templatePatch(ds.spec.template);
  const standing = view.get(keyOf('apps', 'controllerrevisions', namespace, `${name}-${hash}`));
  if (standing && !equalJson(revisionOf(standing).data, data)) return 'taken';
  if (standing) return { ...h, hash };
  const object = newRevision(daemonsets, ds, { name: `${name}-${hash}`, labels, data, revision });
  return { ...h, hash, writes: [...h.writes, { do: 'create', object }] };
}

/** Revisions beyond the history limit go, oldest first, but for those that pods have. */
export function forgetOld(ds: DaemonSet, old: readonly Revision[], pods: readonly Pod[]): Write[] {
  const excess = old.length - (ds.spec.revisionHistoryLimit ?? 0);
  if (excess <= 0) return [];
  const live = new Set(pods.map((p) => p.row.labels[REVISION_HASH]));
  return [...old]
    .sort((a, b) => a.revision - b.revision)
    .filter((r) => !live.has(hashOf(r)))
    .slice(0, excess)
    .map(forget);
}
