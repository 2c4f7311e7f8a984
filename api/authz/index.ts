import { baseLayer } from '../../kube/store/base/base.ts';
import type { Authorizer } from '../attributes.ts';
import { chain } from './authorize.ts';
import { nodeAuthorizer, nodeRules, proxierAuthorizer } from './node.ts';
import { rbac } from './rbac.ts';
import type { RuleSet } from './rules.ts';

const ROLES = 'clusterroles.rbac.authorization.k8s.io/';

/** The rules of a bootstrap role. */
function rulesOf(role: string): RuleSet {
  const text = baseLayer().rows.find((r) => r.key === ROLES + role)?.text ?? '{}';
  return nodeRules((JSON.parse(text) as { rules?: unknown }).rules);
}

/** What composition roots pass on as Parts.authorizers: system:masters, then Node, then RBAC, in one; its no is final. */
export function createAuthorizer(): Authorizer {
  const node = nodeAuthorizer(rulesOf('system:node'));
  return { name: '', authorize: chain([node, proxierAuthorizer(rulesOf('system:node-proxier')), rbac]) };
}
