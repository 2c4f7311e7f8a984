import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import type { BackBuffer } from './proto-buffer.ts';
import { printYamlNode } from './yaml-node.ts';

// The messages of openapi.v2 (github.com/google/gnostic-models openapiv2/OpenAPIv2.proto, v0.7.0), as far as an API server's document uses them: each is a table
// from a keyword of the JSON form to its field. Written from the back, so tables are gone through from their end.

/** Writes a value under a field number; nothing where proto3 leaves a default out. */
type Write = (b: BackBuffer, number: number, v: Json) => void;
interface Message {
  /** Ascending by number. */
  fields: readonly (readonly [keyword: string, number: number, write: Write])[];
  /** The field of `x-` keywords; 0 where there is none. */
  extensions: number;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const tag = (b: BackBuffer, number: number, wire: number): void => b.varint(number * 8 + wire);

/** What `write` writes, as the value of a field. */
function inside(b: BackBuffer, number: number, write: () => void): void {
  const end = b.written;
  write();
  b.varint(b.written - end);
  tag(b, number, BYTES);
}

const element: Write = (b, number, v) => {
  b.string(String(v));
  tag(b, number, BYTES);
};
const string: Write = (b, number, v) => {
  if (v !== '') element(b, number, v);
};
const flag: Write = (b, number, v) => {
  if (v === true) either(b, number, v);
};
/** A flag that is one of two: false is written too. */
const either: Write = (b, number, v) => {
  b.varint(v === true ? 1 : 0);
  tag(b, number, VARINT);
};
const integer: Write = (b, number, v) => {
  if (v === 0 || (typeof v !== 'number' && typeof v !== 'bigint')) return;
  b.signed(v);
  tag(b, number, VARINT);
};
const double: Write = (b, number, v) => {
  if (Number(v) === 0) return;
  b.need(8);
  b.at -= 8;
  b.view.setFloat64(b.at, Number(v), true);
  tag(b, number, FIXED64);
};
const repeated =
  (write: Write): Write =>
  (b, number, v) => {
    if (Array.isArray(v)) for (let i = v.length - 1; i >= 0; i--) write(b, number, v[i] as Json);
  };
/** A map as messages of name (1) and value (2), in the order of the document. */
const named =
  (write: Write): Write =>
  (b, number, v) => {
    if (!isObject(v)) return;
    for (const name of Object.keys(v).reverse()) entry(b, number, name, v[name], write);
  };
function entry(b: BackBuffer, number: number, name: string, v: Json | undefined, write: Write): void {
  if (v === undefined) return;
  inside(b, number, () => {
    write(b, 2, v);
    string(b, 1, name);
  });
}
/** A message with one field. */
const within =
  (field: number, write: Write): Write =>
  (b, number, v) =>
    inside(b, number, () => write(b, field, v));
const message =
  (of: () => Message): Write =>
  (b, number, v) =>
    inside(b, number, () => writeFields(b, of(), v));

/** Any JSON, as YAML. */
const any: Write = (b, number, v) => inside(b, number, () => element(b, 2, printYamlNode(v)));

function writeFields(b: BackBuffer, { fields, extensions }: Message, v: Json): void {
  if (!isObject(v)) return;
  if (extensions > 0) {
    for (const name of Object.keys(v).reverse()) if (name.startsWith('x-')) entry(b, extensions, name, v[name], any);
  }
  for (let i = fields.length - 1; i >= 0; i--) {
    const [keyword, number, write] = fields[i] as Message['fields'][number];
    const value = v[keyword];
    if (value !== undefined) write(b, number, value);
  }
}

const strings = repeated(element);
const schema: Write = message(() => SCHEMA);
const schemaOrFlag: Write = (b, number, v) =>
  inside(b, number, () => (typeof v === 'boolean' ? either(b, 2, v) : schema(b, 1, v)));
/** A type, or several. */
const types: Write = (b, number, v) => inside(b, number, () => strings(b, 1, Array.isArray(v) ? v : [v]));

const SCHEMA: Message = {
  fields: [
    ['$ref', 1, string],
    ['format', 2, string],
    ['title', 3, string],
    ['description', 4, string],
    ['default', 5, any],
    ['multipleOf', 6, double],
    ['maximum', 7, double],
    ['exclusiveMaximum', 8, flag],
    ['minimum', 9, double],
    ['exclusiveMinimum', 10, flag],
    ['maxLength', 11, integer],
    ['minLength', 12, integer],
    ['pattern', 13, string],
    ['maxItems', 14, integer],
    ['minItems', 15, integer],
    ['uniqueItems', 16, flag],
    ['maxProperties', 17, integer],
    ['minProperties', 18, integer],
    ['required', 19, strings],
    ['enum', 20, repeated(any)],
    ['additionalProperties', 21, schemaOrFlag],
    ['type', 22, types],
    ['items', 23, within(1, schema)],
    ['allOf', 24, repeated(schema)],
    ['properties', 25, within(1, named(schema))],
    ['discriminator', 26, string],
    ['readOnly', 27, flag],
    ['example', 30, any],
  ],
  extensions: 31,
};

const BODY_PARAMETER: Message = {
  fields: [
    ['description', 1, string],
    ['name', 2, string],
    ['in', 3, string],
    ['required', 4, flag],
    ['schema', 5, schema],
  ],
  extensions: 6,
};
/** Parameters that are no body differ in one field, which only queries and forms have, and in the numbers behind it. */
function primitive(shift: 0 | 1): Message {
  return {
    fields: [
      ['required', 1, flag],
      ['in', 2, string],
      ['description', 3, string],
      ['name', 4, string],
      ...(shift === 1 ? [['allowEmptyValue', 5, flag] as const] : []),
      ['type', 5 + shift, string],
      ['format', 6 + shift, string],
      ['default', 9 + shift, any],
      ['uniqueItems', 19 + shift, flag],
      ['enum', 20 + shift, repeated(any)],
    ],
    extensions: 22 + shift,
  };
}
const PLAIN = primitive(0);
const WITH_EMPTY = primitive(1);
/** By `in`: the field of NonBodyParameter. */
const PLACES: Record<string, Write> = {
  header: (b, _, v) => inside(b, 1, () => writeFields(b, PLAIN, v)),
  formData: (b, _, v) => inside(b, 2, () => writeFields(b, WITH_EMPTY, v)),
  query: (b, _, v) => inside(b, 3, () => writeFields(b, WITH_EMPTY, v)),
  path: (b, _, v) => inside(b, 4, () => writeFields(b, PLAIN, v)),
};
const parameter: Write = (b, number, v) =>
  inside(b, number, () => {
    const place = isObject(v) ? PLACES[String(v.in)] : undefined;
    if (place) inside(b, 2, () => place(b, 0, v));
    else inside(b, 1, () => writeFields(b, BODY_PARAMETER, v));
  });
const REFERENCE: Message = {
  fields: [
    ['$ref', 1, string],
    ['description', 2, string],
  ],
  extensions: 0,
};
const isReference = (v: Json): boolean => isObject(v) && v.$ref !== undefined;
const reference: Write = message(() => REFERENCE);
const parameterItem: Write = (b, number, v) =>
  inside(b, number, () => (isReference(v) ? reference(b, 2, v) : parameter(b, 1, v)));

const RESPONSE: Message = {
  fields: [
    ['description', 1, string],
    ['schema', 2, within(1, schema)],
  ],
  extensions: 5,
};
const response: Write = (b, number, v) =>
  inside(b, number, () => (isReference(v) ? reference(b, 2, v) : message(() => RESPONSE)(b, 1, v)));

const requirement: Write = (b, number, v) => inside(b, number, () => named(within(1, strings))(b, 1, v));

const OPERATION: Message = {
  fields: [
    ['tags', 1, strings],
    ['summary', 2, string],
    ['description', 3, string],
    ['operationId', 5, string],
    ['produces', 6, strings],
    ['consumes', 7, strings],
    ['parameters', 8, repeated(parameterItem)],
    ['responses', 9, within(1, named(response))],
    ['schemes', 10, strings],
    ['deprecated', 11, flag],
    ['security', 12, repeated(requirement)],
  ],
  extensions: 13,
};
const operation: Write = message(() => OPERATION);
const PATH_ITEM: Message = {
  fields: [
    ['$ref', 1, string],
    ['get', 2, operation],
    ['put', 3, operation],
    ['post', 4, operation],
    ['delete', 5, operation],
    ['options', 6, operation],
    ['head', 7, operation],
    ['patch', 8, operation],
    ['parameters', 9, repeated(parameterItem)],
  ],
  extensions: 10,
};

const API_KEY: Message = {
  fields: [
    ['type', 1, string],
    ['name', 2, string],
    ['in', 3, string],
    ['description', 4, string],
  ],
  extensions: 5,
};
const INFO: Message = {
  fields: [
    ['title', 1, string],
    ['version', 2, string],
    ['description', 3, string],
  ],
  extensions: 7,
};

/** A path (field 2 of Paths) and a definition (field 1 of Definitions), each a map of one or more. */
export const writePaths = (b: BackBuffer, paths: JsonObject): void => named(message(() => PATH_ITEM))(b, 2, paths);
export const writeDefinitions = (b: BackBuffer, definitions: JsonObject): void => named(schema)(b, 1, definitions);

const HEAD: Message = {
  fields: [
    ['swagger', 1, string],
    ['info', 2, message(() => INFO)],
  ],
  extensions: 0,
};
const TAIL: Message = {
  fields: [
    ['parameters', 10, within(1, named(parameter))],
    ['security', 12, repeated(requirement)],
    [
      'securityDefinitions',
      13,
      within(
        1,
        named(
          within(
            2,
            message(() => API_KEY),
          ),
        ),
      ),
    ],
  ],
  extensions: 16,
};
/** What of a Document stands before its paths, and behind its definitions. */
export const writeHead = (b: BackBuffer, document: JsonObject): void => writeFields(b, HEAD, document);
export const writeTail = (b: BackBuffer, document: JsonObject): void => writeFields(b, TAIL, document);
