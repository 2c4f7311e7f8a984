import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { isActive, namespaceOf, namespaces } from './namespaces.ts';

const accounts = needKind(kindByStorage, 'serviceaccounts');

/** Every active namespace has a ServiceAccount `default`: upstream's serviceaccounts_controller. */
export const serviceaccount: Controller = {
  name: 'service-account-controller',
  rules: [
    { apiGroups: [''], resources: ['namespaces', 'serviceaccounts'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create'] },
  ],
  for: namespaces,
  project: { serviceaccounts: () => ({}) },
  watches: [
    {
      kind: accounts,
      name: 'default',
      map: namespaceOf,
    },
  ],
  reconcile(key, namespace, view) {
    const { name } = parseKey(key);
    if (!isActive(namespace)) return { writes: [] };
    if (view.get(keyOf('', 'serviceaccounts', name, 'default'))) return { writes: [] };
    return {
      writes: [
        {
          do: 'create',
          object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } },
        },
      ],
    };
  },
};
