import { baseLayer } from '../../kube/store/base/base.ts';
import type { Authorizer } from '../attributes.ts';
import { chain } from './authorize.ts';
import { nodeAuthorizer, nodeRules, proxierAuthorizer } from './node.ts';
import { rbac } from './rbac.ts';
import type { RuleSet } from './rules.ts';

const ROLES = 'clusterroles.rbac.authorization.k8s.io/';

/** The rules of a bootstrap role, and more. */
function rulesOf(role: string, more: readonly object[] = []): RuleSet {
  const text = baseLayer().rows.find((r) => r.key === ROLES + role)?.text ?? '{}';
  const { rules = [] } = JSON.parse(text) as { rules?: readonly unknown[] };
  return nodeRules([...rules, ...more]);
}
/** For the cluster's DNS, which each node answers: whether a name is none, or only has no records, depends on its namespace. */
const NAMESPACES = { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] };

/** What composition roots pass on as Parts.authorizers: system:masters, then Node, then RBAC, in one; its no is final. */
export function createAuthorizer(): Authorizer {
  const node = nodeAuthorizer(rulesOf('system:node'));
  return { name: '', authorize: chain([node, proxierAuthorizer(rulesOf('system:node-proxier', [NAMESPACES])), rbac]) };
}
