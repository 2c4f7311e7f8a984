import type { JsonObject } from '../kube/meta/json.ts';
import type { Struct } from '../kube/schema/schema.ts';

// Stand-ins until kube/schema and kube/codec are there.
const decoder = new TextDecoder();
export function parseBody(
  bytes: Uint8Array,
  _type: string,
  _s: Struct,
  _strict: boolean,
): { value: unknown; strict: string[] } {
  return { value: JSON.parse(decoder.decode(bytes)), strict: [] };
}
export function prune(_s: Struct, _o: JsonObject): string[] {
  return [];
}
export function applyDefaults(_s: Struct, _o: JsonObject): void {}
export function validateStruct(_s: Struct, _next: JsonObject, _prev: JsonObject | null, _issues: unknown[]): void {}
