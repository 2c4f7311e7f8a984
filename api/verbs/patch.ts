import { methodNotSupported } from '../../kube/meta/status.ts';
import type { Call } from '../call.ts';
import type { Resource } from '../parts.ts';
/** PATCH. */
export async function patch(_call: Call, resource: Resource): Promise<Response> {
  throw methodNotSupported(resource.name, 'patch');
}
