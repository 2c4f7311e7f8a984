import { contentType } from '../kube/codec/negotiate.ts';
import { isObject } from '../kube/meta/json.ts';
import { badRequest } from '../kube/meta/status.ts';
import { decode } from '../kube/schema/prune.ts';
import { bodyOf, type Call } from './call.ts';
import { decodeOptions } from './decode.ts';
import { checkDeleteOptions, type DeleteOptions, deleteOptions } from './query.ts';

const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';

/** DeleteOptions of the body in any encoding, or of the query when there is no body. */
export async function decodeDeleteOptions(call: Call): Promise<DeleteOptions> {
  const bytes = await bodyOf(call);
  if (bytes.length === 0) return deleteOptions(call.query);
  const type = contentType(call.request.headers.get('content-type'));
  const struct = call.parts.schemas.struct(DELETE_OPTIONS);
  let value: unknown;
  try {
    if (!struct) throw new Error('no shape for DeleteOptions');
    value = decodeOptions(bytes, type, struct);
  } catch (e) {
    throw badRequest(e instanceof Error ? e.message : String(e));
  }
  const problem = struct && isObject(value) ? decode(struct, value).error : '';
  if (problem !== '') throw badRequest(problem);
  if (!isObject(value)) throw badRequest('decoded object cannot be converted to DeleteOptions');
  const { kind } = value;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(value.apiVersion ?? '')} in scheme`,
    );
  }
  return checkDeleteOptions(optionsOf(value));
}

function optionsOf(v: Record<string, unknown>): DeleteOptions {
  const o: DeleteOptions = {};
  if (typeof v.gracePeriodSeconds === 'number') o.gracePeriodSeconds = v.gracePeriodSeconds;
  if (typeof v.propagationPolicy === 'string') o.propagationPolicy = v.propagationPolicy;
  if (typeof v.orphanDependents === 'boolean') o.orphanDependents = v.orphanDependents;
  if (Array.isArray(v.dryRun)) o.dryRun = v.dryRun.map(String);
  if (isObject(v.preconditions)) {
    const { uid, resourceVersion } = v.preconditions;
    o.preconditions = {};
    if (typeof uid === 'string') o.preconditions.uid = uid;
    if (typeof resourceVersion === 'string') o.preconditions.resourceVersion = resourceVersion;
  }
  return o;
}
