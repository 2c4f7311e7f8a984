import { kindByStorage } from '../../kube/kinds/index.ts';
import { serviceCIDR } from '../../kube/kinds/serviceips.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { namespaces } from './namespaces.ts';

const servicecidrs = needKind(kindByStorage, 'servicecidrs.networking.k8s.io');
const NAME = 'kubernetes';
const KEY = keyOf('networking.k8s.io', 'servicecidrs', '', NAME);
const NAMESPACE = keyOf('', 'namespaces', '', 'default');

interface Kept {
  cidrs: string[];
  /** Status of its condition Ready, '' without one. */
  ready: string;
}

/** The ServiceCIDR `kubernetes` with the Service range, Ready, as kube-apiserver keeps it (pkg/controlplane/controller/defaultservicecidr). */
export const defaultservicecidr: Controller = {
  name: 'default-service-cidr-controller',
  rules: [
    { apiGroups: ['networking.k8s.io'], resources: ['servicecidrs'], verbs: ['create', 'list', 'watch'] },
    { apiGroups: ['networking.k8s.io'], resources: ['servicecidrs/status'], verbs: ['patch'] },
  ],
  for: namespaces,
  project: {
    'servicecidrs.networking.k8s.io': (o) => {
      const conditions = ((o.status as JsonObject | undefined)?.conditions ?? []) as { type: string; status: string }[];
      const cidrs = ((o.spec as JsonObject | undefined)?.cidrs ?? []) as string[];
      const ready = conditions.find((c) => c.type === 'Ready')?.status ?? '';
      return { cidrs, ready: o.metadata.deletionTimestamp ? 'going' : ready };
    },
  },
  watches: [{ kind: servicecidrs, name: NAME, map: (row) => (row.key === KEY ? [NAMESPACE] : []) }],
  reconcile(key, namespace, view) {
    if (parseKey(key).name !== 'default' || namespace === undefined) return { writes: [] };
    const row = view.get(KEY);
    if (row === undefined) {
      const object = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: NAME },
        spec: { cidrs: [serviceCIDR()] },
      };
      return { writes: [{ do: 'create', object }] };
    }
    const kept = row.data as unknown as Kept;
    if (kept.cidrs.join() !== serviceCIDR() || (kept.ready !== '' && kept.ready !== 'Unknown')) return { writes: [] };
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: '',
      message: 'Kubernetes default Service CIDR is ready',
      lastTransitionTime: formatTime(view.now),
    };
    const patch = { status: { conditions: [condition] } };
    return { writes: [{ do: 'patch', key: KEY, patch, type: 'merge', subresource: 'status' }] };
  },
};
