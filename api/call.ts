import type { Accepted } from '../kube/codec/negotiate.ts';
import { failure, forbidden, notFound, type StatusError, timeout, tooMany } from '../kube/meta/status.ts';
import { finish, type Steps } from '../kube/meta/steps.ts';
import type {
  Assume,
  Commit,
  CommitOptions,
  Key,
  Op,
  Page,
  Range,
  ReadOptions,
  Revision,
  Stale,
  Store,
  StoreError,
} from '../kube/store/store.ts';
import { BODY_BYTES_MAX, bodyTooLarge, readLimited } from '../kube/wire/body.ts';
import type { Caller, ClusterContext, RequestInfo, User } from './attributes.ts';
import type { Authorize, Verdict } from './authz/authorize.ts';
import type { Charging } from './charge.ts';
import type { Parts } from './parts.ts';
import type { ParsedRequest } from './request.ts';
import type { Resources } from './resources.ts';

/** One request on its way through the chain. Made anew for each attempt, but for the body and the ids. */
export interface Call {
  parts: Parts;
  resources: Resources;
  authorizer: Authorize;
  cluster: ClusterContext;
  request: Request;
  query: URLSearchParams;
  info: ParsedRequest;
  user: User;
  /** The View's revision when the attempt began: what it decides rests on this or newer, whatever other requests have taken in meanwhile. */
  policy: Revision;
  caller: Caller | undefined;
  out: Accepted;
  /** JSON is indented for whoever reads it. */
  pretty: boolean;
  /** Audit-ID of the answer: the client's own, else made. */
  auditId: string;
  /** Base of the store's request ids: never the client's. */
  id: string;
  /** What this attempt has decided on and hasn't been confirmed elsewhere. */
  exist: { key: Key; uid?: string }[];
  /** A store call has carried the assumptions of this attempt: refusals after it need no confirmation. */
  confirmed: boolean;
  /** A watch follows this store call. */
  watching?: boolean;
  warnings: string[];
  /** Quotas that the coming commit writes with the object. */
  charging?: Charging;
  annotations: Record<string, string>;
  kept: Kept;
}
/** Kept over the attempts of a request: the body is read once, and no two commits share an id. */
export interface Kept {
  bytes?: Uint8Array;
  commits: number;
  /** An object that had to be there has been waited for. */
  waited?: boolean;
  /** The work on the object is done in steps: it is large, or the first one of its kind here, and most of the code for it is yet to be compiled. */
  heavy?: boolean;
}

/** The View no longer holds: thrown by store calls, caught by the outer loop, which takes it in and starts the attempt anew. */
export class Again {
  readonly stale: Stale;
  constructor(stale: Stale) {
    this.stale = stale;
  }
}

/** The assumptions of this attempt: the View's revision at its begin, the credential's objects, what admission added. */
export function assumption(call: Call): Assume {
  const bound = call.user.bound;
  const extra = call.caller?.assume?.exist;
  // The credential's first: credentialGone() tells them by their place.
  const exist = bound || extra ? [...(bound ?? []), ...call.exist, ...(extra ?? [])] : call.exist;
  const assume: Assume = { policy: call.policy };
  if (exist.length > 0) assume.exist = exist;
  if (call.watching) assume.watch = true;
  return assume;
}

/** True when an assumption failed because an object that the credential is bound to has gone: deciding again is of no use. */
export const credentialGone = (call: Call, stale: Stale): boolean =>
  stale.missing.some((i) => i < (call.user.bound?.length ?? 0));

/** Store.read with the attempt's assumptions. */
export async function read(call: Call, store: Store, range: Range, o: ReadOptions): Promise<Page> {
  const page = await store.read(range, { ...o, assume: assumption(call) });
  if (!page.ok) throw new Again(page);
  call.confirmed = true;
  return page;
}

/** Store.read for the pages after the first: the request has been decided, and what was sent can't be taken back. */
export const readOn = async (store: Store, range: Range, o: ReadOptions): Promise<Page> =>
  unrefused(await store.read(range, o));
/** The answer to a read without assumptions. */
export function unrefused<T extends { ok: true }>(answer: T | Stale): T {
  if (!answer.ok) throw new Error('a read without assumptions was refused');
  return answer;
}

/** Store.commit with the attempt's assumptions, the caller's fence and a request id of its own. */
export async function commit(call: Call, store: Store, ops: Op[]): Promise<Commit> {
  const o: CommitOptions = {
    assume: assumption(call),
    request: `${call.id}/${call.kept.commits++}`,
    by: call.user.name,
  };
  if (call.caller?.fence) o.fence = call.caller.fence;
  const done = await store.commit(ops, o);
  if (!done.ok && 'stale' in done) throw new Again(done);
  call.confirmed = true;
  if (!done.ok && done.lost === 'limit') throw overLimit(call, done);
  if (!done.ok && done.lost === 'fence')
    throw failure('Conflict', 'the lease of this writer has gone to another holder');
  return done;
}

/** In the words of a ResourceQuota, which clients and controllers know: they neither repeat the request at once nor give up for ever. */
function overLimit(call: Call, { limit, asked, used, max }: Extract<Commit, { lost: 'limit' }>): StatusError {
  const { group, resource, name } = call.info;
  const why = `exceeded quota: cluster-limits, requested: ${limit}=${asked}, used: ${limit}=${used}, limited: ${limit}=${max}`;
  return forbidden({ group, resource }, name, why);
}

/** Confirms the assumptions without touching data: before a refusal, or for a request that needs no row. */
export async function confirm(call: Call): Promise<void> {
  if (call.confirmed) return;
  const r = await call.cluster.store('namespaces', '').confirm(assumption(call));
  if (!r.ok) throw new Again(r);
  call.confirmed = true;
}

/** Does work that is cut into steps, with everybody else's turn between two. */
export async function inTurns<T>(call: Call, steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await call.cluster.turn?.();
  }
}

/** Bodies and rows from this size on are worked on in steps: smaller ones take a millisecond in all. */
const LARGE = 64 * 1024;
/** The request has to do with so many bytes or units. */
export function weigh(call: Call, size: number): void {
  if (size >= LARGE) call.kept.heavy = true;
}
/** By server. */
const met = new WeakMap<Parts, WeakSet<object>>();
/** The request writes an object of a kind, told by what stands for it; a server's first one takes 10 ms. */
export function meet(call: Call, kind: object): void {
  let kinds = met.get(call.parts);
  if (!kinds) {
    kinds = new WeakSet();
    met.set(call.parts, kinds);
  }
  if (kinds.has(kind)) return;
  kinds.add(kind);
  call.kept.heavy = true;
}
/** Between two stages of the work on an object: everybody else's turn when it is heavy, else undefined, which costs nothing. */
export const stage = (call: Call): Promise<void> | undefined => (call.kept.heavy ? call.cluster.turn?.() : undefined);
/** All steps at once, or with everybody else's turn between when the object is heavy. */
export const inStages = <T>(call: Call, steps: Steps<T>): T | Promise<T> =>
  call.kept.heavy && call.cluster.turn ? inTurns(call, steps) : finish(steps);

/** The store object that holds a resource. */
export const storeOf = (call: Call, resource: { key: string }, namespace: string): Store =>
  call.cluster.store(resource.key, namespace);

/** Whether a user may do something, by the server's authorizers. */
export function authorize(call: Call, user: User, info: RequestInfo): Verdict | Promise<Verdict> {
  return call.authorizer(user, info, call.cluster.view, call.cluster.store('namespaces', ''));
}

/** Adds a Warning header, once per text. */
export function warn(call: Call, text: string): void {
  if (!call.warnings.includes(text)) call.warnings.push(text);
}

/** kubelet and kubectl wait this long before they repeat a request whose outcome isn't known. */
const RETRY_SECONDS = 2;
/** Without Retry-After, as etcd's own: kubectl would be silent for ten times as long before it says it. */
const NO_ROOM = 'the control plane has no room left on its disk; whether this was written is not known';
/** What a client is told of a row or file that isn't as it was written: names it, and what the operator can do. */
const DAMAGED = 'Internal error occurred: the stored data of this cluster is damaged';
const REMEDY =
  'Run `./coracle cluster verify NAME` to see all that is damaged, and bring a copy made with `./coracle cluster backup` back with `./coracle cluster restore NAME --from FILE`';
/** Whether an error tells of damage to what is stored. */
export const isCorrupt = (e: unknown): boolean => (e as { code?: unknown } | null)?.code === 'corrupt';
/** A StoreError as the Status that a client gets; undefined for any other error. */
export function storeStatus(e: unknown, call?: Call): StatusError | undefined {
  if (!(e instanceof Error) || e.name !== 'StoreError') return undefined;
  const { code, retryAfterSeconds, text } = e as StoreError;
  switch (code) {
    case 'too-large':
      // etcd's own words: clients look for them.
      return failure('', 'etcdserver: request is too large', undefined, 500);
    case 'overloaded':
      return tooMany('Too many requests, please try again later.', retryAfterSeconds);
    case 'full':
      return failure('', NO_ROOM, {}, 507);
    case 'unknown-outcome':
      return timeout('the outcome of the write is not known', RETRY_SECONDS);
    case 'unavailable':
      return failure('ServiceUnavailable', 'the store of this cluster cannot be reached now', {
        retryAfterSeconds: RETRY_SECONDS,
      });
    case 'compacted':
      return failure('Expired', 'The resourceVersion for the provided list is too old.');
    case 'future':
      return timeout(text, 1);
    case 'no-cluster':
      return notFound({ group: 'tenancy.coracle.dev', resource: 'clusters' }, call?.cluster.id ?? '');
    case 'corrupt':
      return failure('InternalError', `${DAMAGED}: ${text}. ${REMEDY}`);
    default:
      return undefined;
  }
}

/** The body, read once; 413 past the limit. */
export async function bodyOf(call: Call): Promise<Uint8Array> {
  if (call.kept.bytes) return call.kept.bytes;
  const declared = Number(call.request.headers.get('content-length'));
  if (declared > BODY_BYTES_MAX) throw bodyTooLarge();
  // The platform holds the client to what it declares.
  const read = () => (declared > 0 ? readWhole(call, declared) : readLimited(call.request.body));
  const bytes = call.request.body === null ? new Uint8Array() : await read();
  call.kept.bytes = bytes;
  weigh(call, bytes.length);
  return bytes;
}
/** With the option of the standard that lib.dom doesn't have yet. */
interface BYOBReader {
  read(view: Uint8Array, o: { min: number }): Promise<{ value?: Uint8Array | undefined }>;
  releaseLock(): void;
}
/**
 * In one read. Request.arrayBuffer() leaves the Request, its headers and its signal in memory until the whole heap is collected, which then takes twice as
 * long: the platform lets go of them with the young generation only where nothing of its own has waited for them. A reader takes 20 us more: while nobody
 * else is there, nobody waits for a collection either.
 */
async function readWhole({ cluster, request }: Call, length: number): Promise<Uint8Array> {
  const reader = cluster.alone?.() ? undefined : byteReader(request.body);
  if (!reader) return new Uint8Array(await request.arrayBuffer());
  const { value } = await reader.read(new Uint8Array(length), { min: length });
  reader.releaseLock();
  return value ?? new Uint8Array();
}
/** Undefined for a stream that only has chunks of its own, as another server's may. */
function byteReader(body: ReadableStream<Uint8Array> | null): BYOBReader | undefined {
  try {
    return body?.getReader({ mode: 'byob' }) as BYOBReader | undefined;
  } catch {
    return undefined;
  }
}
