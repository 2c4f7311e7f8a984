import type { JsonObject } from '../../kube/meta/json.ts';
import type { PolicyView, User } from '../attributes.ts';
import { nodeOf } from '../authn/users.ts';
import { aggregate, rulesFor } from './rbac.ts';
import type { Rule } from './rules.ts';

/** status of a SelfSubjectRulesReview: what RBAC gives the user in a namespace. A node's rights can't be listed in full. */
export function rulesReview(user: User, namespace: string, view: PolicyView): JsonObject {
  const { rules, errors } = rulesFor(user, namespace, view);
  const isNode = nodeOf(user) !== null;
  const problems = [...(isNode ? ['node authorizer does not support user rule resolution'] : []), ...errors];
  return {
    resourceRules: rules.filter((r) => r.resources.length > 0).map(resourceRule),
    nonResourceRules: rules
      .filter((r) => r.nonResourceURLs.length > 0)
      .map((r) => ({ verbs: [...r.verbs], nonResourceURLs: [...r.nonResourceURLs] })),
    incomplete: isNode,
    ...(problems.length === 0 ? {} : { evaluationError: aggregate(problems) }),
  };
}

function resourceRule(r: Rule): JsonObject {
  return {
    verbs: [...r.verbs],
    apiGroups: [...r.apiGroups],
    resources: [...r.resources],
    ...(r.resourceNames.length === 0 ? {} : { resourceNames: [...r.resourceNames] }),
  };
}
