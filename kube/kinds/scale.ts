import { invalid } from '../meta/issues.ts';
import type { KubeObject } from '../meta/object.ts';
import { printSelector } from '../meta/selectors.ts';
import type { Issue } from '../meta/status.ts';
import { has, make, num, obj, str } from './access.ts';
import { updateMeta } from './behaviour.ts';
import type { WriteSubresource } from './kind.ts';
import { formatPlainSelector } from './selector.ts';

/** Scale of a kind with spec.replicas, status.replicas and a selector: autoscaling/v1, pkg/registry/apps/deployment/storage. */
export function scaleOf(selector: 'label' | 'map'): WriteSubresource {
  return {
    is: 'view',
    verbs: ['get', 'update', 'patch'],
    as: {
      ref: { group: 'autoscaling', version: 'v1', kind: 'Scale', struct: 'io.k8s.api.autoscaling.v1.Scale' },
      read: (o) => readScale(o, selector),
      write: writeScale,
    },
    // The scale's own metadata has been judged; the object's stays as it is.
    validate: (next, prev) => updateMeta(next, prev, true),
  };
}
function readScale(o: KubeObject, selector: 'label' | 'map'): KubeObject {
  const m = o.metadata;
  const of = obj(o.spec).selector;
  const text = selector === 'map' ? formatPlainSelector(of) : printSelector(obj(of));
  const replicas = num(obj(o.spec).replicas);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(has(m.name) ? { name: str(m.name) } : {}),
      ...(has(m.namespace) ? { namespace: str(m.namespace) } : {}),
      ...(has(m.uid) ? { uid: str(m.uid) } : {}),
      ...(has(m.resourceVersion) ? { resourceVersion: str(m.resourceVersion) } : {}),
      ...(has(m.creationTimestamp) ? { creationTimestamp: str(m.creationTimestamp) } : {}),
    },
    // Go leaves out a zero spec.replicas and writes a zero status.replicas.
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: num(obj(o.status).replicas), ...(text === '' ? {} : { selector: text }) },
  };
}
function writeScale(o: KubeObject, view: KubeObject): Issue[] | undefined {
  const replicas = num(obj(view.spec).replicas);
  if (replicas < 0) return [invalid('spec.replicas', replicas, 'must be greater than or equal to 0')];
  make(o, 'spec').replicas = replicas;
  if (has(view.metadata?.resourceVersion)) o.metadata.resourceVersion = str(view.metadata.resourceVersion);
  return undefined;
}
