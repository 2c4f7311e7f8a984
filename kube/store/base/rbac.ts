import type { JsonObject } from '../../meta/json.ts';
import type { BaseObject } from './object.ts';

const GROUP = 'rbac.authorization.k8s.io';
const PLURALS = {
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
} as const;

/** A bootstrap role or binding without what all of them have alike. */
export interface RbacRow {
  kind: keyof typeof PLURALS;
  name: string;
  namespace?: string;
  labels?: Readonly<Record<string, string>>;
  aggregationRule?: JsonObject;
  rules?: readonly {
    verbs: readonly string[];
    apiGroups?: readonly string[];
    resources?: readonly string[];
    resourceNames?: readonly string[];
    nonResourceURLs?: readonly string[];
  }[];
  /** Kind and name of the bound role. */
  role?: readonly [string, string];
  subjects?: readonly { kind: string; apiGroup?: string; name: string; namespace?: string }[];
}

/** The object of a row, as kube-apiserver creates it when it starts. */
export function rbacObject(r: RbacRow): BaseObject {
  return {
    group: GROUP,
    version: 'v1',
    plural: PLURALS[r.kind],
    namespace: r.namespace ?? '',
    name: r.name,
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...r.labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    body: structuredClone({
      ...(r.aggregationRule ? { aggregationRule: r.aggregationRule } : {}),
      ...(r.rules ? { rules: r.rules } : {}),
      ...(r.role ? { roleRef: { apiGroup: GROUP, kind: r.role[0], name: r.role[1] } } : {}),
      ...(r.subjects ? { subjects: r.subjects } : {}),
    }) as JsonObject,
  };
}
