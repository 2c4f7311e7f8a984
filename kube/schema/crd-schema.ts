import { isObject, type Json, type JsonObject } from '../meta/json.ts';

/** One node of a CustomResourceDefinition's openAPIV3Schema (apiextensions/v1 JSONSchemaProps), as far as anything here reads it. */
export interface CustomSchema {
  type?: string;
  format?: string;
  nullable?: boolean;
  default?: Json;
  enum?: Json[];
  required?: string[];
  properties?: Record<string, CustomSchema>;
  additionalProperties?: CustomSchema | boolean;
  items?: CustomSchema;
  allOf?: CustomSchema[];
  anyOf?: CustomSchema[];
  oneOf?: CustomSchema[];
  not?: CustomSchema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
}

/** The fields of an object that its schema need not name. */
export const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

export const isEmbedded = (s: CustomSchema): boolean => s['x-kubernetes-embedded-resource'] === true;
export const preserves = (s: CustomSchema): boolean => s['x-kubernetes-preserve-unknown-fields'] === true;
export const isIntOrString = (s: CustomSchema): boolean => s['x-kubernetes-int-or-string'] === true;

/** The schema of a member: its property's, or that of additionalProperties; undefined when nothing describes it. */
export function memberSchema(s: CustomSchema | undefined, name: string): CustomSchema | undefined {
  if (s?.properties && Object.hasOwn(s.properties, name)) return s.properties[name];
  return isObject(s?.additionalProperties) ? (s?.additionalProperties as CustomSchema) : undefined;
}

/** A deep copy of JSON. */
export function copyJson(v: Json): Json {
  if (Array.isArray(v)) return v.map(copyJson);
  if (!isObject(v)) return v;
  const out: JsonObject = {};
  for (const name in v) setMember(out, name, copyJson(v[name] ?? null));
  return out;
}

/** Sets a member whose name is the user's: `__proto__` is a name like any other. */
export function setMember(o: JsonObject, name: string, value: Json): void {
  if (name !== '__proto__') o[name] = value;
  else Object.defineProperty(o, name, { value, enumerable: true, configurable: true, writable: true });
}
