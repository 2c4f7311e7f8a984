import { index, invalid } from '../meta/issues.ts';
import type { Json } from '../meta/json.ts';
import { nameIsDnsLabel, qualifiedName } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { copy, has, list, make, obj, put, str } from './access.ts';
import { type Behaviour, statusOf, updateMeta } from './behaviour.ts';
import { validateObjectMeta } from './objectmeta.ts';
import { each } from './podspec/checks.ts';

/** The finalizer that the namespace controller takes off when everything in the namespace is gone. */
const KUBERNETES = 'kubernetes';
const STANDARD = new Set([KUBERNETES, 'orphan', 'foregroundDeletion']);
const LABEL = 'kubernetes.io/metadata.name';

function finalizer(path: string, v: Json): Issue[] {
  const name = str(v);
  const issues = each(path, name, qualifiedName(name));
  if (!name.includes('/') && !STANDARD.has(name)) {
    issues.push(invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified'));
  }
  return issues;
}
const finalizers = (o: KubeObject) => list(obj(o.spec).finalizers);

export const NAMESPACE: Behaviour = {
  name: nameIsDnsLabel,
  default(o) {
    const name = str(o.metadata.name);
    if (name !== '') make(o.metadata, 'labels')[LABEL] = name;
    if (has(o.status) && str(obj(o.status).phase) === '') make(o, 'status').phase = 'Active';
  },
  prepare(next, prev) {
    const spec = make(next, 'spec');
    if (prev) {
      put(spec, 'finalizers', copy(obj(prev.spec).finalizers));
      return;
    }
    next.status = { phase: 'Active' };
    if (!finalizers(next).includes(KUBERNETES)) spec.finalizers = [...finalizers(next), KUBERNETES];
    // A generated name is only known now.
    make(next.metadata, 'labels')[LABEL] = str(next.metadata.name);
  },
  validate(next, prev) {
    const own = prev ? validateObjectMeta(next.metadata, false, nameIsDnsLabel) : [];
    return [...own, ...finalizers(next).flatMap((f) => finalizer('spec.finalizers', f))];
  },
  fields: { 'status.phase': (o) => str(obj(o.status).phase) },
  deletion: {
    held: (o) => finalizers(o).length > 0,
    begin: (o) => {
      make(o, 'status').phase = 'Terminating';
    },
  },
  subresources: {
    status: statusOf('Cluster', {
      validate(next) {
        const phase = str(obj(next.status).phase);
        const want = has(next.metadata.deletionTimestamp) ? 'Terminating' : 'Active';
        const when = want === 'Active' ? '`deletionTimestamp` is empty' : '`deletionTimestamp` is not empty';
        return phase === want ? [] : [invalid('status.Phase', phase, `may only be '${want}' if ${when}`)];
      },
    }),
    finalize: {
      is: 'view',
      verbs: ['update'],
      prepare: (next, prev) => put(next, 'status', prev.status),
      validate: (next, prev) => [
        ...updateMeta(next, prev, false),
        ...finalizers(next).flatMap((f, i) => finalizer(index('spec.finalizers', i), f)),
      ],
    },
  },
};
