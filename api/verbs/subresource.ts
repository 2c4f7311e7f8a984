import type { Call } from '../call.ts';
import type { Resource } from '../parts.ts';
import { methodNotAllowed, unknownResource } from '../respond.ts';
import { act } from './action.ts';
import { connect } from './connect.ts';
import { get } from './get.ts';
import { patch } from './patch.ts';
import { update } from './update.ts';

/** A subresource by its kind: a view of the object, an action, or a stream through the node. */
export async function subresource(call: Call, resource: Resource): Promise<Response> {
  const { info } = call;
  const sub = resource.kind.subresources?.[info.subresource];
  if (!sub) throw unknownResource();
  if (sub.is === 'view') {
    if (!(sub.verbs as readonly string[]).includes(info.verb)) throw methodNotAllowed();
    if (info.verb === 'get') return get(call, resource);
    return info.verb === 'update' ? update(call, resource) : patch(call, resource);
  }
  if (sub.is === 'action') {
    if (info.verb !== 'create') throw methodNotAllowed();
    return act(call, resource, sub.ref);
  }
  return connect(call, resource, sub);
}
