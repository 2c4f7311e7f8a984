import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { isActive, namespaceOf, namespaces } from './namespaces.ts';

const configmaps = needKind(kindByStorage, 'configmaps');
const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const DESCRIPTION_TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Every active namespace has the ConfigMap kube-root-ca.crt with the cluster's CA: upstream's rootcacertpublisher. */
export const rootca: Controller = {
  name: 'root-ca-cert-publisher',
  rules: [
    { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'update', 'list', 'watch'] },
  ],
  for: namespaces,
  // Whatever else looks at ConfigMaps keeps no body of theirs for this one's sake.
  project: { configmaps: (o) => (o.metadata.name === NAME ? (o as JsonObject) : {}) },
  watches: [
    {
      kind: configmaps,
      name: NAME,
      map: namespaceOf,
    },
  ],
  reconcile(key, namespace, view) {
    const { name } = parseKey(key);
    if (!isActive(namespace)) return { writes: [] };
    const ca = view.results.get('ca');
    const effects = [{ id: 'ca', name: 'clusterCa', input: {} }];
    if (!ca?.ok) return { writes: [], effects };
    const data = { 'ca.crt': ca.value.pem ?? '' };
    const there = view.get(keyOf('', 'configmaps', name, NAME));
    if (there === undefined) {
      const metadata = { name: NAME, namespace: name, annotations: { [DESCRIPTION]: DESCRIPTION_TEXT } };
      return { writes: [{ do: 'create', object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } }], effects };
    }
    const { metadata, ...rest } = there.data as unknown as KubeObject;
    if (equalJson((rest.data ?? {}) as Json, data) && metadata.annotations?.[DESCRIPTION])
      return { writes: [], effects };
    const object = {
      ...rest,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        ...metadata,
        annotations: { ...metadata.annotations, [DESCRIPTION]: DESCRIPTION_TEXT },
        resourceVersion: String(there.revision),
      },
      data,
    };
    return { writes: [{ do: 'update', object }], effects };
  },
};
