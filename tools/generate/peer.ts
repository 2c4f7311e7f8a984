import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { openApiV3 } from '../../kube/schema/openapi.ts';
import { decode } from '../../kube/schema/prune.ts';
import { apiGroups, resourceOfKind, resourcesOf } from '../../kube/schema/resources.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { findModules } from './modules.ts';

// Compares what is made from the generated data with a running kube-apiserver of the same release (its certificate isn't checked):
//   NODE_TLS_REJECT_UNAUTHORIZED=0 node tools/generate/peer.ts https://127.0.0.1:6443 TOKEN [CASES] [SEED]
// First the OpenAPI v3 documents without descriptions, then decoding errors of randomly broken objects, as dry runs.

const [, , server = '', token = '', cases = '300', seedText = '1'] = process.argv;

async function call(path: string, body?: Json): Promise<{ code: number; body: JsonObject }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const r = await fetch(
    server + path,
    body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) },
  );
  return { code: r.status, body: (await r.json()) as JsonObject };
}

function plain(x: Json | undefined): Json | undefined {
  if (Array.isArray(x)) return x.map((v) => plain(v) ?? null);
  if (typeof x !== 'object' || x === null) return x;
  const out: JsonObject = {};
  for (const k of Object.keys(x).sort()) if (k !== 'description' || typeof x[k] !== 'string') out[k] = plain(x[k]);
  return out;
}

function differences(a: Json | undefined, b: Json | undefined, path: string, out: string[]): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  const object = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);
  if (!object(a) || !object(b)) {
    out.push(`${path}: ${JSON.stringify(a)?.slice(0, 120)} there, ${JSON.stringify(b)?.slice(0, 120)} here`);
    return;
  }
  for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) differences(a[k], b[k], `${path} ${k}`, out);
}

async function compareDocuments(): Promise<void> {
  for (const { group, versions } of apiGroups()) {
    for (const version of versions) {
      const path = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      const theirs = plain((await call(`/openapi/v3/${path}`)).body) as JsonObject;
      const ours = plain(openApiV3(schemas, group, version, resourcesOf(group, version).values())) as JsonObject;
      const found: string[] = [];
      differences((theirs.components as JsonObject).schemas, (ours.components as JsonObject).schemas, 'schemas', found);
      differences(theirs.paths, ours.paths, 'paths', found);
      console.log(`${path}: ${found.length} differences`);
      for (const f of found) if (process.env.VERBOSE) console.log(`  ${f}`);
    }
  }
}

/** A linear congruential generator: a seed repeats a run. */
let state = Number(seedText);
const random = () => {
  state = (state * 1103515245 + 12345) & 0x7fffffff;
  return state / 0x7fffffff;
};
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const VALUES: Json[] = [
  5,
  -1,
  1.5,
  3000000000,
  'x',
  '',
  true,
  null,
  [],
  {},
  [1],
  ['a'],
  { a: 1 },
  { a: 'b' },
  [{}],
  [null],
  '10m',
  '1h',
  'YQ==',
  '!!',
  0,
];

type Path = (string | number)[];
function pathsOf(x: Json | undefined, path: Path, out: Path[]): Path[] {
  if (path.length > 0) out.push(path);
  if (Array.isArray(x)) for (const [i, v] of x.entries()) pathsOf(v, [...path, i], out);
  else if (typeof x === 'object' && x !== null) for (const k in x) pathsOf(x[k], [...path, k], out);
  return out;
}

/** Puts a wrong value somewhere, or an unknown field. */
function damage(object: JsonObject, nth: number): void {
  const free = (p: Path) =>
    p[0] !== 'kind' && p[0] !== 'apiVersion' && !(p[0] === 'metadata' && (p.length === 1 || p[1] === 'name'));
  const path = pick(pathsOf(object, [], []).filter(free));
  let holder: Record<string | number, Json> = object as Record<string, Json>;
  for (const step of path.slice(0, -1)) holder = holder[step] as Record<string | number, Json>;
  const last = path.at(-1) ?? '';
  const value = structuredClone(pick(VALUES)) as Json;
  if (random() < 0.3 && !Array.isArray(holder)) holder[`unknown${nth}`] = value;
  else holder[last] = value;
}

async function compareDecoding(directory: string): Promise<void> {
  const files = readdirSync(directory).filter((f) => f.endsWith('.json'));
  let [done, wrong] = [0, 0];
  while (done < Number(cases)) {
    const object = JSON.parse(readFileSync(join(directory, pick(files)), 'utf8')) as JsonObject;
    const [version = '', group = ''] = String(object.apiVersion ?? '')
      .split('/')
      .reverse();
    const gvk = { group, version, kind: String(object.kind) };
    const [resource, struct] = [resourceOfKind(gvk), schemas.kind(gvk)];
    if (!/^v\d+$/.test(version) || !struct || !resource?.verbs.includes('create')) continue;
    done++;
    object.metadata = {
      labels: { a: 'b' },
      ownerReferences: [{ name: 'x', uid: 'y' }],
      ...(object.metadata as JsonObject),
      name: 'fuzz',
    };
    for (const name of ['namespace', 'resourceVersion', 'uid', 'managedFields'])
      delete (object.metadata as JsonObject)[name];
    for (let i = 0; i <= random() * 3; i++) damage(object, i);
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const path = `${root}${resource.namespaced ? '/namespaces/default' : ''}/${resource.plural}?dryRun=All&fieldValidation=Strict`;
    const answer = await call(path, object);
    const prefix = `${gvk.kind} in version "${version}" cannot be handled as a ${gvk.kind}: `;
    const message = String(answer.body.message ?? '');
    const theirs = answer.code === 400 && message.startsWith(prefix) ? message.slice(prefix.length) : '';
    const { error, unknown } = decode(struct, structuredClone(object) as Json);
    const ours = error !== '' ? error : unknown.length > 0 ? `strict decoding error: ${unknown.join(', ')}` : '';
    if (theirs === ours) continue;
    wrong++;
    console.log(`${gvk.kind}\n  there: ${theirs || `${answer.code} ${message.slice(0, 200)}`}\n  here:  ${ours}`);
  }
  console.log(`${done} broken objects, ${wrong} told otherwise`);
}

const modules = findModules();
if (server === '' || !modules)
  console.log('usage: peer.ts SERVER TOKEN [CASES] [SEED]; needs the Go modules for its fixtures');
else {
  await compareDocuments();
  await compareDecoding(join(modules.api, 'testdata/HEAD'));
}
