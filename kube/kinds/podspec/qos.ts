import type { JsonObject } from '../../meta/json.ts';
import { compareQuantities, quantity } from '../../meta/quantity.ts';
import { obj, objs, texts } from '../access.ts';

type QOS = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** The QoS class of a pod: pkg/apis/core/helper/qos. */
export function podQOS(spec: JsonObject): QOS {
  const own = obj(spec.resources);
  if (Object.keys(texts(own.requests)).length + Object.keys(texts(own.limits)).length > 0) return ofResources(own);
  const all = [...objs(spec.initContainers), ...objs(spec.containers)].map((c) => ofResources(obj(c.resources)));
  return combine(all) ?? 'BestEffort';
}
function combine(all: readonly QOS[]): QOS | undefined {
  const [first] = all;
  return all.every((q) => q === first) ? first : 'Burstable';
}
function ofResources(r: JsonObject): QOS {
  const requests = texts(r.requests);
  const limits = texts(r.limits);
  if (Object.keys(requests).length + Object.keys(limits).length === 0) return 'BestEffort';
  const of = (name: string): QOS => {
    const request = quantity(requests[name]);
    if (compareQuantities(request, quantity(limits[name])) !== 0) return 'Burstable';
    return request.unscaled === 0n ? 'BestEffort' : 'Guaranteed';
  };
  return combine([of('cpu'), of('memory')]) ?? 'BestEffort';
}
