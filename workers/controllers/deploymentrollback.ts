import type { Note } from '../../kube/reconcile/controller.ts';
import { allSets, type Sync } from './deploymentscale.ts';
import {
  annotationsBack,
  type Deployment,
  HASH_LABEL,
  lastRevision,
  ROLLBACK_TO,
  revisionNumber,
  sameTemplate,
} from './deploymentsets.ts';

// rollback.go of pkg/controller/deployment: what clients of extensions/v1beta1 asked for in an annotation. `kubectl rollout undo` doesn't need it.

/** The revision asked for, 0 for the one before; undefined where none is. */
export function rollbackTo(d: Deployment): number | undefined {
  const text = d.metadata.annotations?.[ROLLBACK_TO];
  return text !== undefined && /^[-+]?\d+$/.test(text) ? Number(text) : undefined;
}

/** The Deployment as it is to be: perhaps with an older template, always without the wish. */
export function rollBack(s: Sync, asked: number): Deployment {
  const { d } = s;
  const say = (type: Note['type'], reason: string, message: string) =>
    s.notes.push({ on: s.key, type, reason, message });
  const cleared = () => {
    const { [ROLLBACK_TO]: _, ...annotations } = s.annotations;
    return annotations;
  };
  const sets = allSets(s);
  const revision = asked === 0 ? lastRevision(sets) : asked;
  const set = revision === 0 ? undefined : sets.find((x) => revisionNumber(x) === revision);
  if (set === undefined) {
    const what = revision === 0 ? 'Unable to find last revision.' : 'Unable to find the revision to rollback to.';
    say('Warning', 'DeploymentRollbackRevisionNotFound', what);
    return { ...d, metadata: { ...d.metadata, annotations: cleared() } };
  }
  const template = set.is.spec.template as Deployment['spec']['template'];
  if (sameTemplate(d.spec.template, template)) {
    const message = `The rollback revision contains the same template as current deployment "${d.metadata.name}"`;
    say('Warning', 'DeploymentRollbackTemplateUnchanged', message);
    return { ...d, metadata: { ...d.metadata, annotations: cleared() } };
  }
  const { [HASH_LABEL]: _, ...labels } = (template.metadata?.labels ?? {}) as Record<string, string>;
  say('Normal', 'DeploymentRollback', `Rolled back deployment "${d.metadata.name}" to revision ${revision}`);
  return {
    ...d,
    metadata: { ...d.metadata, annotations: annotationsBack(cleared(), set) },
    spec: { ...d.spec, template: { ...template, metadata: { ...template.metadata, labels } } },
  };
}
