import { obj, str } from '../../kube/kinds/access.ts';
import type { Admission } from '../attributes.ts';

/** A pod gets the zone and region of its node as labels, when it's created on one or bound to one. */
export const podTopologyLabels: Admission = {
  name: 'PodTopologyLabels',
  handles: (a) =>
    a.resource === 'pods' &&
    a.group === '' &&
    a.operation === 'CREATE' &&
    a.object !== null &&
    (a.subresource === '' || a.subresource === 'binding'),
  mutate(a, c) {
    if (a.object === null) return;
    const target = obj(a.object.target);
    if (a.subresource === 'binding' && target.kind !== 'Node') return;
    const node = a.subresource === 'binding' ? str(target.name) : str(obj(a.object.spec).nodeName);
    const data = c.view.get(`nodes/${node}`)?.data;
    if (data === undefined) return;
    const labels = {
      ...(data.zone === undefined ? {} : { 'topology.kubernetes.io/zone': str(data.zone) }),
      ...(data.region === undefined ? {} : { 'topology.kubernetes.io/region': str(data.region) }),
    };
    // The verb layer copies a Binding's labels to its pod.
    if (Object.keys(labels).length > 0) a.object.metadata.labels = { ...a.object.metadata.labels, ...labels };
  },
};
