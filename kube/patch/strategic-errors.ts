import type { Json, JsonObject } from '../meta/json.ts';
import { goType, printGo } from './go-print.ts';

/** A patch that can't be applied. `code` is what the apiserver answers: 500 for what upstream doesn't tell apart. */
export class StrategicError extends Error {
  readonly code: number;
  constructor(message: string, code = 500) {
    super(message);
    this.name = 'StrategicError';
    this.code = code;
  }
}

export const badRetainKeys = () => new StrategicError('invalid patch format of retainKeys', 400);
export const badPrimitiveList = () => new StrategicError('invalid patch format of primitive list', 400);
export const badElementOrder = () => new StrategicError('invalid patch format of setElementOrder list', 400);
export const noListOfLists = () => new StrategicError('lists of lists are not supported', 422);
export const noMergeKey = (m: JsonObject, key: string) =>
  new StrategicError(`map: ${printGo(m)} does not contain declared merge key: ${key}`);
export const badType = (expected: string, v: Json | undefined) =>
  new StrategicError(`expected a ${expected}, but received a ${goType(v)}`);
export const MAP = 'map[string]interface {}';
export const LIST = '[]interface {}';

/** A `$patch` that isn't one. */
export function badPatchType(directive: Json, patch: JsonObject): StrategicError {
  const shown = typeof directive === 'string' ? directive : `%!s(${goType(directive)}=${printGo(directive)})`;
  return new StrategicError(`unknown patch type: ${shown} in map: ${printGo(patch)}`);
}
