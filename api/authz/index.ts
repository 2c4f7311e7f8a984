import { baseLayer } from '../../kube/store/base/base.ts';
import type { Authorizer } from '../attributes.ts';
import { chain } from './authorize.ts';
import { nodeAuthorizer, nodeRules } from './node.ts';
import { rbac } from './rbac.ts';

const SYSTEM_NODE = 'clusterroles.rbac.authorization.k8s.io/system:node';

/** What composition roots pass on as Parts.authorizers: system:masters, then Node, then RBAC, in one; its no is final. */
export function createAuthorizer(): Authorizer {
  const text = baseLayer().rows.find((r) => r.key === SYSTEM_NODE)?.text ?? '{}';
  const rules = nodeRules((JSON.parse(text) as { rules?: unknown }).rules);
  return { name: '', authorize: chain([nodeAuthorizer(rules), rbac]) };
}
