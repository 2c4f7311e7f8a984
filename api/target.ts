import { failure } from '../kube/meta/status.ts';
import type { SchemaRef } from '../kube/schema/schema.ts';
import type { Call } from './call.ts';
import type { Target } from './decode.ts';

/** The shape of a subresource's own kind. */
export function asTarget(call: Call, ref: SchemaRef): Target {
  const struct = call.parts.schemas.kind(ref);
  if (!struct) throw failure('InternalError', `Internal error occurred: no shape for ${ref.kind}`);
  return { ref, struct, custom: false };
}
