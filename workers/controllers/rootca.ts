import { kindByStorage } from '../../kube/kinds/index.ts';
import { at } from '../../kube/meta/object.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';

const namespaces = needKind(kindByStorage, 'namespaces');
const configmaps = needKind(kindByStorage, 'configmaps');
const NAME = 'kube-root-ca.crt';

/** Every active namespace has the ConfigMap kube-root-ca.crt with the cluster's CA: upstream's rootcacertpublisher. */
export const rootca: Controller = {
  name: 'root-ca-cert-publisher',
  rules: [
    { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'update', 'list', 'watch'] },
  ],
  for: namespaces,
  // Of the many ConfigMaps only this one counts; of the others not even the data is kept.
  project: { configmaps: (o) => (o.metadata.name === NAME ? { data: o.data } : {}) },
  watches: [
    {
      kind: configmaps,
      map: (row) => (parseKey(row.key).name === NAME ? [keyOf('', 'namespaces', '', parseKey(row.key).namespace)] : []),
    },
  ],
  reconcile(key, namespace, view) {
    const { name } = parseKey(key);
    if (
      namespace === undefined ||
      namespace.metadata.deletionTimestamp ||
      at(namespace, 'status.phase') === 'Terminating'
    )
      return { writes: [] };
    const ca = view.results.get('ca');
    const effects = [{ id: 'ca', name: 'clusterCa', input: {} }];
    if (!ca?.ok) return { writes: [], effects };
    const data = { 'ca.crt': ca.value.pem ?? '' };
    const annotations = {
      'kubernetes.io/description':
        'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
    };
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: NAME, namespace: name, annotations },
      data,
    };
    const there = view.get(keyOf('', 'configmaps', name, NAME));
    if (there === undefined) return { writes: [{ do: 'create', object }], effects };
    const same = (there.data.data as Record<string, string> | undefined)?.['ca.crt'] === data['ca.crt'];
    return { writes: same ? [] : [{ do: 'update', object }], effects };
  },
};
