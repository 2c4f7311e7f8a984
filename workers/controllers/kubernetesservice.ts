import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { namespaces } from './namespaces.ts';

const services = needKind(kindByStorage, 'services');
const KEY = keyOf('', 'services', 'default', 'kubernetes');
const NAMESPACE = keyOf('', 'namespaces', '', 'default');

/**
 * The Service default/kubernetes at the first address of the Service range, as kube-apiserver itself keeps it (pkg/controlplane/controller/kubernetesservice).
 * Its endpoints are the agents' own addresses, so it has no selector.
 */
export const kubernetesservice: Controller = {
  name: 'kubernetes-service-controller',
  rules: [{ apiGroups: [''], resources: ['services'], verbs: ['create', 'list', 'watch'] }],
  for: namespaces,
  project: { services: () => ({}) },
  watches: [{ kind: services, name: parseKey(KEY).name, map: (row) => (row.key === KEY ? [NAMESPACE] : []) }],
  reconcile(key, namespace, view) {
    if (parseKey(key).name !== 'default' || namespace === undefined || view.get(KEY) !== undefined)
      return { writes: [] };
    const labels = { component: 'apiserver', provider: 'kubernetes' };
    const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }];
    const spec = {
      type: 'ClusterIP',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'None',
      ports,
    };
    return {
      writes: [
        {
          do: 'create',
          object: {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { name: 'kubernetes', namespace: 'default', labels },
            spec,
          },
        },
      ],
    };
  },
};
