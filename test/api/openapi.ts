import { createHash } from 'node:crypto';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { Target } from './play.ts';

// The OpenAPI v2 document of a server, made comparable: it is megabytes, and its sentences are upstream's, so hashes are what is recorded.

/** Hashes by path and by definition's name. */
export interface Summary {
  paths: Record<string, string>;
  definitions: Record<string, string>;
}

/** A server's document in the form that `accept` names. */
export function fetchOpenApi(target: Target, accept: string): Promise<Buffer> {
  const url = new URL('/openapi/v2', target.url);
  const headers = { accept, authorization: `Bearer ${target.tokens.admin}` };
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? httpsGet : httpGet;
    get(url, { headers, agent: false, rejectUnauthorized: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => resolve(Buffer.concat(chunks)));
      res.on('error', reject);
    }).on('error', reject);
  });
}

/** What a document says, without its sentences: shared parameters in their places, keys sorted. */
export function summaryOf(document: JsonObject): Summary {
  const parameters = (document.parameters ?? {}) as JsonObject;
  const hashes = (map: Json | undefined) =>
    Object.fromEntries(
      Object.entries(map as JsonObject).map(([name, v]) => [name, hashOf(plain(v as Json, parameters))]),
    );
  return { paths: hashes(document.paths), definitions: hashes(document.definitions) };
}
const HASH_CHARS = 12;
const hashOf = (v: Json) => createHash('sha256').update(JSON.stringify(v)).digest('hex').slice(0, HASH_CHARS);

const PARAMETER = '#/parameters/';
function plain(v: Json, parameters: JsonObject): Json {
  if (Array.isArray(v)) return v.map((item) => plain(item, parameters));
  if (!isObject(v)) return v;
  if (typeof v.$ref === 'string' && v.$ref.startsWith(PARAMETER))
    return plain(parameters[v.$ref.slice(PARAMETER.length)] ?? null, parameters);
  const out: JsonObject = {};
  for (const name of Object.keys(v).sort()) {
    const member = v[name];
    // A property may be called so too; then it's an object.
    const sentence = name === 'description' && typeof member === 'string';
    if (member !== undefined && !sentence && name !== UNIONS) out[name] = plain(member, parameters);
  }
  return out;
}
/** Nothing reads it; the shapes don't have it. */
const UNIONS = 'x-kubernetes-unions';
