import { parseJson } from '../../kube/codec/json.ts';
import { kindByGVK } from '../../kube/kinds/index.ts';
import { atOnce } from '../../kube/meta/atonce.ts';
import type { Env } from '../../kube/meta/env.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { type KubeObject, type OwnerReference, parseApiVersion } from '../../kube/meta/object.ts';
import { FOREGROUND, ORPHAN } from '../../kube/store/garbage.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Entry, Key, Revision } from '../../kube/store/store.ts';
import type { Collected } from '../controllers/garbagecollector.ts';
import { type EffectFunction, json } from './client.ts';

// The world of the garbage collector: what upstream's garbagecollector.go does with objects, its graph being the store's index of owners.

/** Dependents of one effect: the loop has other work, and its lease is renewed between effects. */
const PAGE = 50;
/** Of these so many at the same time, so that their commits share transactions. */
const AT_ONCE = 8;
const HOST = 'https://loop.invalid';

/** What the collector needs of the cluster's stores. */
export interface CollectorStore {
  get(key: Key): Promise<Entry | undefined>;
  /** Rows that name the uid as an owner, in key order. `of`: the owner. */
  dependents(uid: string, of: Key, o: { limit: number; after?: Key }): Promise<Entry[]>;
  /** Deletes a row of the collector, unless it has changed. */
  drop(key: Key, revision: Revision): Promise<void>;
}
type Ask = (request: Request) => Promise<Response>;
interface Job {
  uid: string;
  of: Key;
  store: CollectorStore;
  ask: Ask;
  /** What was found of owners in this look: dependents of one object mostly have no other. */
  owners: Map<string, Promise<Owner>>;
}
type Owner = 'solid' | 'gone' | 'waiting' | 'invalid';

/** `collect {key, revision, uid, of, version, after?, since?, failures?}`: one look at an object that the collector was told of. */
export function collectorEffects(store: CollectorStore, env: Env): Readonly<Record<string, EffectFunction>> {
  return {
    async collect(input, ask): Promise<Collected> {
      const at = env.now();
      const since = Number(input.since ?? at);
      const job: Job = { uid: String(input.uid), of: String(input.of), store, ask, owners: new Map() };
      try {
        const from = input.after === undefined ? undefined : String(input.after);
        const { after, waits, blocked } = await look(job, from, input.blocked === true);
        if (after !== undefined) return { done: false, after, blocked: blocked === true, at, since };
        if (waits) return { done: false, at, since };
        await store.drop(String(input.key), Number(input.revision));
        return { done: true, at, since };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return { done: false, at, since, failures: Number(input.failures ?? 0) + 1, error: message };
      }
    },
  };
}

interface Looked {
  after?: Key;
  /** One of the pages so far has one that blocks. */
  blocked?: boolean;
  waits?: boolean;
}
/** What is there of the object decides: gone, waiting for its dependents, orphaning them, or made for owners that may be missing. */
async function look(job: Job, after: Key | undefined, before: boolean): Promise<Looked> {
  const entry = await job.store.get(job.of);
  const there = entry?.facts.uid === job.uid ? entry : undefined;
  const object = there && objectOf(there);
  const finalizers = object?.metadata.deletionTimestamp ? (object.metadata.finalizers ?? []) : [];
  const orphans = finalizers.includes(ORPHAN);
  const waits = finalizers.includes(FOREGROUND);
  if (there && !orphans && !waits) {
    if (object && !object.metadata.deletionTimestamp) await attempt(job, there);
    return {};
  }
  const page = await job.store.dependents(job.uid, job.of, { limit: PAGE, ...(after === undefined ? {} : { after }) });
  let blocked = before;
  const errors: unknown[] = [];
  // All of them, whatever becomes of one.
  await atOnce(AT_ONCE, page, async (dependent) => {
    blocked ||= refsOf(dependent).some((r) => r.uid === job.uid && r.blockOwnerDeletion === true);
    await (orphans ? orphan : attempt)(job, dependent).catch((error: unknown) => errors.push(error));
  });
  if (errors.length > 0) throw errors[0];
  const last = page.at(-1);
  if (last && page.length === PAGE) return { after: last.key, blocked };
  if (orphans && there) await removeFinalizer(job, there, ORPHAN);
  if (!waits || !there) return {};
  if (blocked) return { waits: true };
  await removeFinalizer(job, there, FOREGROUND);
  return {};
}

const objectOf = (e: Entry): KubeObject => parseJson(e.value) as KubeObject;
const refsOf = (e: Entry): OwnerReference[] => objectOf(e).metadata.ownerReferences ?? [];

/** attemptToDeleteItem: what has no owner left goes, what has one keeps that one alone. */
async function attempt(job: Job, item: Entry): Promise<void> {
  const { metadata } = objectOf(item);
  // It goes already; if it waits for dependents of its own, it has a row of its own.
  if (metadata.deletionTimestamp) return;
  const refs = metadata.ownerReferences ?? [];
  if (refs.length === 0) return;
  const solid: OwnerReference[] = [];
  let waiting = false;
  for (const ref of refs) {
    const owner = await ownerOf(job, ref, item);
    if (owner === 'invalid') return;
    if (owner === 'solid') solid.push(ref);
    waiting ||= owner === 'waiting';
  }
  if (solid.length === refs.length) return;
  if (solid.length > 0) return patch(job, item, { ownerReferences: solid as Json[] });
  if (waiting && (await hasDependents(job, item))) return foreground(job, item, refs);
  const had = metadata.finalizers ?? [];
  await remove(job, item, had.includes(ORPHAN) ? 'Orphan' : had.includes(FOREGROUND) ? 'Foreground' : 'Background');
}

/** One that has dependents itself goes in the foreground too; where a circle may be, it blocks nobody. */
async function foreground(job: Job, item: Entry, refs: readonly OwnerReference[]): Promise<void> {
  const dependents = await job.store.dependents(item.facts.uid, item.key, { limit: PAGE });
  const isCircle = dependents.some((d) => {
    const { deletionTimestamp, finalizers } = objectOf(d).metadata;
    return deletionTimestamp !== undefined && finalizers?.includes(FOREGROUND);
  });
  if (isCircle && refs.some((r) => r.blockOwnerDeletion))
    await patch(job, item, { ownerReferences: refs.map((r) => ({ ...r, blockOwnerDeletion: false })) });
  await remove(job, item, 'Foreground', isCircle);
}
const hasDependents = async (job: Job, item: Entry): Promise<boolean> =>
  (await job.store.dependents(item.facts.uid, item.key, { limit: 1 })).length > 0;

/** Whether an owner is there, and there to stay. `invalid`: a cluster-wide object can't have an owner in a namespace. */
function ownerOf(job: Job, ref: OwnerReference, item: Entry): Promise<Owner> {
  const namespace = namespaceOf(item);
  const key = [namespace, ref.apiVersion, ref.kind, ref.name, ref.uid].join(' ');
  const known = job.owners.get(key) ?? findOwner(job, ref, namespace);
  job.owners.set(key, known);
  return known;
}
async function findOwner(job: Job, ref: OwnerReference, namespace: string): Promise<Owner> {
  const found = await resourceOf(job, ref);
  if (found === undefined) throw new Error(`no kind ${ref.kind} is registered for ${ref.apiVersion}`);
  if (found.namespaced && namespace === '') return 'invalid';
  const response = await job.ask(get(path(ref.apiVersion, found.plural, found.namespaced ? namespace : '', ref.name)));
  const body = parseJson(await response.text()) as unknown as KubeObject & { message?: string };
  if (response.status === 404) return 'gone';
  if (response.status >= 400) throw new Error(String(body.message));
  const { uid, deletionTimestamp, finalizers } = body.metadata;
  if (uid !== ref.uid) return 'gone';
  return deletionTimestamp && finalizers?.includes(FOREGROUND) ? 'waiting' : 'solid';
}

/** The plural of a kind: of this release, else of the cluster's own kinds by discovery. */
async function resourceOf(job: Job, ref: OwnerReference): Promise<{ plural: string; namespaced: boolean } | undefined> {
  const gv = parseApiVersion(ref.apiVersion);
  if (!gv) return undefined;
  const kind = kindByGVK({ ...gv, kind: ref.kind });
  if (kind) return { plural: kind.plural, namespaced: kind.scope === 'Namespaced' };
  if (gv.group === '') return undefined;
  const response = await job.ask(get(`/apis/${gv.group}/${gv.version}`));
  if (response.status >= 400) {
    await response.body?.cancel();
    return undefined;
  }
  const list = parseJson(await response.text()) as { resources?: JsonObject[] };
  const found = list.resources?.find((r) => r.kind === ref.kind && !String(r.name).includes('/'));
  return found && { plural: String(found.name), namespaced: found.namespaced === true };
}

const namespaceOf = (item: Entry): string => parseKey(item.key).namespace;
const get = (at: string): Request => new Request(HOST + at, { headers: { accept: 'application/json' } });
function path(apiVersion: string, plural: string, namespace: string, name: string): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${base}${namespace === '' ? '' : `/namespaces/${namespace}`}/${plural}/${encodeURIComponent(name)}`;
}
/** Where a row is served: its key's resource at the version that it is stored in. */
function pathOfRow(item: Entry): string {
  const { resource, namespace, name } = parseKey(item.key);
  return path(item.version, resource.split('.')[0] ?? '', namespace, name);
}

async function orphan(job: Job, item: Entry): Promise<void> {
  const refs = refsOf(item);
  const left = refs.filter((r) => r.uid !== job.uid);
  if (left.length < refs.length) await patch(job, item, { ownerReferences: left as Json[] });
}
async function removeFinalizer(job: Job, item: Entry, finalizer: string): Promise<void> {
  const left = (objectOf(item).metadata.finalizers ?? []).filter((f) => f !== finalizer);
  await patch(job, item, { finalizers: left });
}

/** As long as the row is as it was read; what is gone needs nothing any more. */
async function patch(job: Job, item: Entry, metadata: JsonObject): Promise<void> {
  const body = { metadata: { ...metadata, uid: item.facts.uid, resourceVersion: String(item.revision) } };
  await settled(await job.ask(json('PATCH', pathOfRow(item), body, 'application/merge-patch+json')));
}
/** As long as it has the owners it was read with, whatever else of it changes meanwhile. */
async function remove(job: Job, item: Entry, propagationPolicy: string, changed = false): Promise<void> {
  const ask = (more: JsonObject) => {
    const preconditions = { uid: item.facts.uid, ...more };
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions };
    return job.ask(json('DELETE', pathOfRow(item), options));
  };
  const first = await ask(changed ? {} : { resourceVersion: String(item.revision) });
  if (first.status !== 409) return settled(first);
  await first.body?.cancel();
  const now = await job.store.get(item.key);
  if (now?.facts.uid !== item.facts.uid) return;
  if (!equalJson(refsOf(now) as Json, refsOf(item) as Json)) throw new Error(`the owners of ${item.key} have changed`);
  await settled(await ask({}));
}
/** What is gone already is as it should be. */
async function settled(response: Response): Promise<void> {
  const text = await response.text();
  if (response.status < 400 || response.status === 404) return;
  throw new Error(String((parseJson(text) as JsonObject).message));
}
