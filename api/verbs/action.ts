import type { JsonObject } from '../../kube/meta/json.ts';
import { apiVersionOf } from '../../kube/meta/object.ts';
import { methodNotSupported } from '../../kube/meta/status.ts';
import { updateManagedFields } from '../../kube/patch/managed.ts';
import type { SchemaRef } from '../../kube/schema/schema.ts';
import { actions } from '../actions/index.ts';
import { admissionContext, admit, attributes, mutate } from '../admit.ts';
import { answerObject } from '../answer.ts';
import type { Call } from '../call.ts';
import { decodeBody, directiveOf } from '../decode.ts';
import { managedWrite } from '../managed.ts';
import type { Resource } from '../parts.ts';
import { managerOf, writeOptions } from '../query.ts';
import { asTarget } from '../target.ts';
import { ensureNamespace, isDryRun } from '../write.ts';

/** POST of something that acts instead of being stored: a review, a binding, an eviction, a token request. */
export async function act(call: Call, resource: Resource, ref: SchemaRef): Promise<Response> {
  const { info } = call;
  const name = info.subresource === '' ? resource.key : `${resource.key}/${info.subresource}`;
  const action = call.parts.actions?.[name] ?? actions[name];
  if (!action) throw methodNotSupported(resource.name, 'create');
  const options = writeOptions(call.query, 'CreateOptions');
  const target = asTarget(call, ref);
  const body = await decodeBody(call, target, directiveOf(options));
  if (action.echoes) {
    const manager = managerOf(options, call.request.headers.get('user-agent'));
    const as = { ...managedWrite(call, resource, manager), struct: target.struct, apiVersion: apiVersionOf(ref) };
    const entries = updateManagedFields({ ...as, live: null, next: body });
    if (entries) body.metadata.managedFields = entries;
  }
  ensureNamespace(body.metadata, resource.kind, info.namespace);
  const context = admissionContext(call);
  const a = attributes(call, resource.kind, 'CREATE', {
    name: info.name || (body.metadata.name ?? ''),
    object: body,
    oldObject: null,
    options: options as JsonObject,
    dryRun: isDryRun(options),
  });
  await mutate(call, a, context);
  await admit(call, a, context);
  const { object, code } = await action.run(call, resource, a.object ?? body);
  return answerObject(call, resource, code ?? 201, object, target.struct);
}

/** A kind whose objects are never stored: it can be created and nothing else. */
export const isVirtual = (resource: Resource): boolean =>
  resource.kind.verbs.length === 1 && resource.kind.verbs[0] === 'create';
