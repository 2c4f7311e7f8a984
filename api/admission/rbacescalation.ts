import type { Admission } from '../attributes.ts';
import { checkEscalation } from '../authz/escalation.ts';

const RESOURCES = new Set(['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']);

/** Not a plugin upstream but the registry's own check: nobody grants rights that they don't hold. Can't be turned off. */
export const rbacEscalation: Admission = {
  name: 'RBACEscalation',
  handles: (a) =>
    a.group === 'rbac.authorization.k8s.io' &&
    RESOURCES.has(a.resource) &&
    (a.operation === 'CREATE' || a.operation === 'UPDATE'),
  async validate(a, c) {
    await checkEscalation(a, c.view, async (user, what) => {
      const decision = await c.authorize(user, what);
      return decision === 'no-opinion' ? { allow: false, reason: '' } : decision;
    });
    return undefined;
  },
};
