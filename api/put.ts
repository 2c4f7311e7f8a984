import { parseJson, printJson } from '../kube/codec/json.ts';
import { PATCH_TYPES } from '../kube/codec/negotiate.ts';
import type { ClaimRequest } from '../kube/kinds/kind.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import { failure, type StatusError } from '../kube/meta/status.ts';
import { keyOf } from '../kube/store/key.ts';
import { poolSpace } from '../kube/store/pool.ts';
import { type Commit, type Entry, type Op, type PutOp, type Store, StoreError } from '../kube/store/store.ts';
import { type Call, commit, inStages, stage, storeOf } from './call.ts';
import { type Charging, chargedAnew, chargeOps } from './charge.ts';
import { aroundApart, isApart } from './owners.ts';
import type { Resource } from './parts.ts';
import { factsOf, toStored, valueSteps } from './row.ts';
import { invalidObject } from './write.ts';

/** A row as it was written, or what stands in its place (undefined = nothing). */
export type Put = { row: Entry } | { found: Entry | undefined };

/** Commits an object in place of `was` (null = it must not exist), with what its kind claims, and `also`. A lost race is a value. */
export async function put(
  call: Call,
  resource: Resource,
  object: KubeObject,
  prev: KubeObject | null,
  was: Entry | null,
  also: readonly Op[] = [],
): Promise<Put> {
  try {
    return await written(call, resource, object, prev, was, also);
  } catch (e) {
    // Who owns which field may be given up, what the fields say may not; but an apply rests on it.
    const isApply = call.request.headers.get('content-type')?.startsWith(PATCH_TYPES.apply) === true;
    if (!isTooLarge(e) || isApply || object.metadata.managedFields === undefined) throw e;
    const { managedFields: _m, ...metadata } = object.metadata;
    return written(call, resource, { ...object, metadata }, prev, was, also);
  }
}
const isTooLarge = (e: unknown): boolean => e instanceof StoreError && e.code === 'too-large';

const written = (...a: Parameters<typeof write>): Promise<Put> =>
  isApart(a[1]) ? aroundApart(a[0], a[1], a[2], a[3], () => write(...a)) : write(...a);

async function write(
  call: Call,
  resource: Resource,
  object: KubeObject,
  prev: KubeObject | null,
  was: Entry | null,
  also: readonly Op[],
): Promise<Put> {
  const { kind } = resource;
  const namespace = object.metadata.namespace ?? '';
  const key = was?.key ?? keyOf(resource.stored.group, kind.plural, namespace, object.metadata.name ?? '');
  const stored = toStored(resource, object);
  // Puts the tokens of what it claims into the object, so it comes before its text.
  const claims = kind.claims?.(stored, prev, key) ?? [];
  const printing = inStages(call, valueSteps(resource, stored));
  const value = printing instanceof Promise ? await printing : printing;
  const turn = stage(call);
  if (turn) await turn;
  const facts = factsOf(resource, stored);
  const op: Op = { key, expect: was?.revision ?? 0, value, facts };
  const ttl = kind.ttl?.(stored);
  if (ttl !== undefined) op.ttlMs = ttl;
  const released = prev && was ? (kind.releases?.(stored, prev, key) ?? []) : [];
  const ops: Op[] =
    claims.length + released.length + also.length === 0 ? [op] : [op, ...claims.map(claimOp), ...released, ...also];
  const store = storeOf(call, resource, namespace);
  const done = call.charging ? await commitCharged(call, store, ops, call.charging) : await commit(call, store, ops);
  if (!done.ok) {
    if (done.lost === 'race') return { found: done.found[0] ?? undefined };
    throw lost(resource, object, done, claims);
  }
  const answered = stage(call);
  if (answered) await answered;
  const revision = done.revisions[0] ?? done.revision;
  const text = claims.length === 0 ? value.text : filled(value.text, claims, done.claimed);
  const row: Entry = {
    key,
    revision,
    created: was?.created ?? revision,
    value: text,
    version: value.version,
    schema: value.schema,
    facts,
  };
  // Facts still have the tokens of claims in them.
  if (claims.length === 0) call.cluster.rows?.put(row);
  else call.cluster.rows?.drop(key);
  return { row };
}

/** Where other writes were charged to the same quotas meanwhile, it is decided anew by what these left; the first operation's own race is the caller's. */
async function commitCharged(call: Call, store: Store, ops: Op[], charging: Charging): Promise<Commit> {
  const expected = (ops[0] as PutOp).expect ?? 0;
  for (let now = charging; ; ) {
    const done = await commit(call, store, [...ops, ...chargeOps(now)]);
    if (done.ok || done.lost !== 'race' || (done.found[0]?.revision ?? 0) !== expected) return done;
    now = chargedAnew(now, done.found.slice(ops.length));
  }
}

/**
 * What a dry run answers where a write would claim: any value of the pool, since nothing is taken; a wanted one must at least be of it.
 * In place.
 */
export function pretendClaims(call: Call, resource: Resource, object: KubeObject, prev: KubeObject | null): KubeObject {
  const claims = resource.kind.claims?.(object, prev, '') ?? [];
  if (claims.length === 0) return object;
  let text = printJson(object as JsonObject);
  for (const c of claims) {
    const space = poolSpace(c.claim);
    if (c.want !== undefined && space.indexOf(c.want) < 0) throw invalidObject(resource, object, [c.lost(false)]);
    const index = space.band + Math.floor(call.cluster.env.random() * (space.size - space.band));
    if (c.token !== undefined) text = text.replaceAll(c.token, space.valueAt(index));
  }
  return parseJson(text) as KubeObject;
}

const claimOp = ({ claim, want, owner, token }: ClaimRequest): Op => ({
  claim,
  owner,
  ...(want === undefined ? {} : { want }),
  ...(token === undefined ? {} : { token }),
});

/** The text as the store has it: tokens replaced by what was claimed. Claims follow the put, so claim i is op i + 1. */
function filled(
  text: string,
  claims: readonly ClaimRequest[],
  claimed: readonly (string | undefined)[] | undefined,
): string {
  let out = text;
  for (const [i, c] of claims.entries()) {
    const value = claimed?.[i + 1];
    if (c.token !== undefined && value !== undefined) out = out.replaceAll(c.token, value);
  }
  return out;
}

function lost(
  resource: Resource,
  object: KubeObject,
  done: Exclude<Extract<Commit, { ok: false }>, { lost: 'race' }>,
  claims: readonly ClaimRequest[],
): StatusError {
  const claim = done.lost === 'claim' ? claims[done.op - 1] : undefined;
  if (done.lost === 'claim' && claim) return invalidObject(resource, object, [claim.lost(done.exhausted)]);
  return failure('InternalError', `Internal error occurred: the commit was lost: ${done.lost}`);
}
