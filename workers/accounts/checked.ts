import * as v from 'valibot';
import { badRequest } from '../../kube/meta/status.ts';

/** What a client sent, as this schema has it; throws BadRequest, in one line that names each field, or `what` was sent. */
export function checked<S extends v.GenericSchema>(schema: S, value: unknown, what = 'body'): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success)
    throw badRequest(parsed.issues.map((i) => `${v.getDotPath(i) ?? what}: ${i.message}`).join('; '));
  return parsed.output as v.InferOutput<S>;
}
