import { obj, str } from '../../kube/kinds/access.ts';
import { podRequests } from '../../kube/kinds/podspec/totals.ts';
import { quote } from '../../kube/meta/issues.ts';
import { addQuantities, compareQuantities, milliValue, quantity, wholeValue, ZERO } from '../../kube/meta/quantity.ts';
import type { StatusCause } from '../../kube/meta/status.ts';
import type { Admission } from '../attributes.ts';
import { readNow } from '../authn/read.ts';
import { refuse } from './refuse.ts';

/** What is compared, and how its amounts are printed. */
const MEASURES = [
  ['cpu', milliValue],
  ['memory', wholeValue],
] as const;

/** A running pod grows no larger than its node, and only on Linux. */
export const podResizeValidator: Admission = {
  name: 'PodResizeValidator',
  handles: (a) =>
    a.resource === 'pods' &&
    a.group === '' &&
    a.subresource === 'resize' &&
    a.operation === 'UPDATE' &&
    a.object !== null,
  async validate(a, c) {
    const spec = obj(a.object?.spec);
    const name = str(spec.nodeName);
    // The generation rises only when the spec changes.
    if (name === '' || a.object?.metadata.generation === a.oldObject?.metadata.generation) return undefined;
    const node = await readNow(c.cluster, 'nodes', '', name);
    if (node === null) throw refuse(a, `node ${quote(name)} not found`);
    const cause = (reason: string) => [{ reason } as StatusCause];
    const os = node.metadata.labels?.['kubernetes.io/os'];
    if (os !== undefined && os !== 'linux') {
      const why = `pod resize is only supported on linux nodes, node ${quote(name)} is ${quote(os)}`;
      throw refuse(a, why, cause('UnsupportedPlatform'));
    }
    const allocatable = obj(obj(node.status).allocatable);
    const requests = podRequests(spec);
    const overhead = obj(spec.overhead);
    const short: string[] = [];
    for (const [resource, amount] of MEASURES) {
      const has = quantity(allocatable[resource] ?? '0');
      const asked = addQuantities(requests.get(resource) ?? ZERO, quantity(overhead[resource] ?? '0'));
      if (compareQuantities(asked, has) > 0) {
        short.push(`${resource}, requested: ${amount(asked)}, allocatable: ${amount(has)}`);
      }
    }
    if (short.length > 0) {
      const why = `node didn't have enough allocatable resources: ${short.join('; ')}`;
      throw refuse(a, why, cause('NodeCapacity'));
    }
    return undefined;
  },
};
