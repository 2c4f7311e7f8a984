import { forbidden, notFound } from '../../kube/meta/status.ts';
import type { Admission } from '../attributes.ts';
import { refuse } from './refuse.ts';

/** Upstream's immortal namespaces. */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

/** Nothing is created in a namespace that isn't there or is being deleted; some namespaces stay for ever. */
export const namespaceLifecycle: Admission = {
  name: 'NamespaceLifecycle',
  handles: (a) => a.operation !== 'CONNECT',
  mutate(a, c) {
    const isNamespace = a.resource === 'namespaces' && a.group === '';
    if (isNamespace) {
      if (a.operation === 'DELETE' && IMMORTAL.has(a.name)) {
        throw forbidden({ group: '', resource: 'namespaces' }, a.name, 'this namespace may not be deleted');
      }
      return;
    }
    if (a.namespace === '' || a.operation !== 'CREATE') return;
    // Whether a namespace exists is not told to who may only ask what they may do.
    if (a.resource === 'localsubjectaccessreviews' && a.group === 'authorization.k8s.io') return;
    const row = c.view.get(`namespaces/${a.namespace}`);
    if (row === undefined) throw notFound({ group: '', resource: 'namespaces' }, a.namespace);
    if (row.data.phase !== 'Terminating') return;
    throw refuse(a, `unable to create new content in namespace ${a.namespace} because it is being terminated`, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${a.namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]);
  },
};
