import type { Facts } from '../meta/facts.ts';
import type { FieldRequirement, LabelRequirement } from '../meta/selectors.ts';

/**
 * The store: etcd's place. MemoryStore (the model), SqliteStore (in the object), RemoteStore (RPC stub) and CachedStore pass one
 * storeSuite(). Expected outcomes are values; only what no caller can handle is thrown (StoreError).
 */
export interface Store {
  /** One page of a range at one revision, key order. `at` answers as of a past revision (StoreError 'compacted' outside the time-travel window, 'future' past the newest). */
  read(range: Range, o?: ReadOptions): Promise<Page | Stale>;
  /** All ops or none; durable when it resolves. Each op that changes a key takes a revision of its own, in order. */
  commit(ops: Op[], o?: CommitOptions): Promise<Commit | Stale>;
  /** Checks assumptions without touching data: what a refusal or a request without a store call is confirmed with. */
  confirm(assume: Assume): Promise<Confirmed | Stale>;
  /** Ordered, gapless batches after `after`, with progress. Throws StoreError 'compacted' at once or later. Ends when the iterator is returned. */
  watch(range: Range, after: Revision, o?: WatchOptions): AsyncIterable<Batch>;
  /** Forgets history before a revision, in slices; `current` is never touched. */
  compact(before: Revision): Promise<void>;
  /** Grants or renews a lease: the same holder keeps its epoch, a new holder after expiry gets a higher one. */
  grant(lease: string, holder: string, ttlMs: number): Promise<Grant>;
  /** Gives a lease back; a no-op unless `holder` has it. */
  release(lease: string, holder: string): Promise<void>;
  /** Rows by fact, key order: objects with an owner uid, a node name or a reference (of pods only the first two: see key.ts foundByRefs). Never scans. */
  related(
    by: 'owner' | 'node' | 'ref',
    value: string,
    /** factsOnly: `value` may be '' (an authorizer reads facts of a node's pods, not their bodies). */
    o?: { resource?: string; limit?: number; after?: Key; factsOnly?: boolean },
  ): Promise<Entry[]>;
  /** The versions of one row that the time-travel window holds, newest first, a page at a time: what `read at` would find, and who wrote it. */
  versions(key: Key, o?: VersionsOptions): Promise<Versions | Stale>;
  info(): Promise<StoreInfo>;
}

/** Rises by one with each changed key, never reused, at most 2^53 - 1. 0 means "none". */
export type Revision = number;

/** `pods/<namespace>/<name>` or `nodes/<name>`; the first part is groupResource(). Byte order is list order, as in etcd. */
export type Key = string;

/** Keys `from <= key < to`. */
export interface Range {
  from: Key;
  to: Key;
}

/** A stored row. */
export interface Entry {
  key: Key;
  /** The revision of its last change: resourceVersion. */
  revision: Revision;
  /** The revision of its creation. */
  created: Revision;
  /** Body: see Value.text, without resourceVersion. */
  value: string;
  version: string;
  schema: string;
  enc?: string;
  facts: Facts;
}

/** What is written. */
export interface Value {
  /**
   * JSON text `{"metadata":{"name":...},...}`: metadata first, no apiVersion, no kind, no resourceVersion, so that
   * splice.ts makes an answer of it without parsing. At most MAX_VALUE_BYTES in UTF-8.
   */
  text: string;
  /** apiVersion in which it is stored. */
  version: string;
  /** Hash of the schema that defaulted it (Schemas.hash). */
  schema: string;
  /** Id of the key it is encrypted with; absent for plain text. */
  enc?: string;
}

/** etcd's --max-request-bytes: upstream answers `etcdserver: request is too large`. */
export const MAX_VALUE_BYTES = 1.5 * 1024 * 1024;
/** A page is cut at this many bytes of bodies: some 3 ms of the object's thread, and V8 collects what a long list leaves behind before it is much. */
export const PAGE_BYTES = 1024 * 1024;
/** Ops of one commit (a namespace's slice, a claim set); more are split by the caller. */
export const MAX_OPS = 128;

export type Op = PutOp | ClaimOp | UnclaimOp | ChargeOp;
export interface PutOp {
  key: Key;
  /** Revision that the row must have; 0 = must not exist; undefined = any. */
  expect: Revision | undefined;
  /** Null deletes. */
  value: Value | null;
  /** Must be given with a value. */
  facts?: Facts;
  /** Milliseconds after which the row deletes itself (Events); absent = never. */
  ttlMs?: number;
  /** Written only where this holds when it is its turn; else nothing happens, and its revision is 0. */
  when?: Condition;
}
/** Some row names that uid as an owner; or one of these objects isn't there with its uid. Looked up by index. */
export type Condition = { owned: string } | { absent: readonly { key: Key; uid: string }[] };
/** Takes a free address or port; the claim is released by the commit that deletes `owner`. */
export interface ClaimOp {
  claim: Pool;
  /** This very value, or the commit is lost. Absent: any free one. */
  want?: string;
  /** Key of the object that holds it. */
  owner: Key;
  /** Text that the store replaces with the claimed value in the values of the same commit. */
  token?: string;
}
export interface Pool {
  name: string;
  /** A range of addresses (`10.96.0.0/16`; the first, and IPv4's last, are kept back) or of ports. */
  cidr?: string;
  /** Prefix length of the blocks into which `cidr` is cut (a node's pod CIDR, `10.244.3.0/24`); absent = single addresses. */
  block?: number;
  ports?: { from: number; to: number };
}
/** Gives a claimed value back while its owner lives on (a Service that stops having a cluster IP); a no-op unless `owner` has it. */
export interface UnclaimOp {
  unclaim: string;
  value: string;
  owner: Key;
}
/** Moves a counter, refusing to pass `limit` (quota). Absent limit = no bound. */
export interface ChargeOp {
  charge: string;
  by: number;
  limit?: number;
}

export type Commit =
  /** `revision` is that of the last op; `revisions[i]` of op i (0 for claims, charges); `claimed[i]` what op i claimed. */
  | { ok: true; revision: Revision; revisions: Revision[]; claimed?: (string | undefined)[]; repeated?: boolean }
  /** A lost race: what was found for each PutOp (null = nothing, undefined = not a PutOp). */
  | { ok: false; lost: 'race'; found: (Entry | null | undefined)[] }
  | { ok: false; lost: 'claim'; op: number; exhausted: boolean }
  | { ok: false; lost: 'charge'; op: number; used: number }
  /** The cluster has as much as it may have; `asked` more than the `used` would pass `max`. */
  | {
      ok: false;
      lost: 'limit';
      limit: 'objects' | 'bytes' | 'crds' | 'policyBytes';
      asked: number;
      used: number;
      max: number;
    }
  /** The lease has gone to a newer epoch or has expired. */
  | { ok: false; lost: 'fence' };

export interface CommitOptions {
  assume?: Assume;
  fence?: Fence;
  /** Id of the request: a repeat of one that succeeded answers what the first answered (`repeated`), within REQUEST_MEMORY_MS. */
  request?: string;
  /** The request may have been sent before, to an object that has ended since. */
  repeat?: boolean;
  /** Name of the user who writes: kept with each version, for `coracle history`. */
  by?: string;
}
/** How long a request id is remembered: longer than any client keeps retrying one request. */
export const REQUEST_MEMORY_MS = 120_000;

/** What the caller decided on. The store refuses with Stale when it no longer holds. */
export interface Assume {
  /** Policy revision of the caller's View; 0 = none known. */
  policy?: Revision;
  /** A watch follows: refused with 'overloaded' where the store has as many as it takes. */
  watch?: boolean;
  /** Objects that must exist, with this uid where given (the namespace, the token's ServiceAccount, pod or node). */
  exist?: { key: Key; uid?: string }[];
}
/** The assumption failed; decide again. `changes` bring the View up to `policy` (whole: the View starts anew). */
export interface Stale {
  ok: false;
  stale: true;
  policy: Revision;
  whole: boolean;
  changes: { key: Key; policy: string | null; uid: string }[];
  /** Which of assume.exist doesn't hold, by index. */
  missing: number[];
  /** This store has no policies and can't tell what changed: the cluster's main store has to be asked before a View moves. */
  elsewhere?: true;
}
/** Thrown by watch(), at once, when its `assume` doesn't hold: a batch has no place for it. */
export class StaleError extends Error {
  readonly stale: Stale;
  constructor(stale: Stale) {
    super('stale: what the caller decided on has changed');
    this.name = 'StaleError';
    this.stale = stale;
  }
}
export interface Confirmed {
  ok: true;
  revision: Revision;
  policy: Revision;
}

/** A commit counts only while this lease is held at this epoch. */
export interface Fence {
  lease: string;
  epoch: number;
  /** Who holds it at that epoch; absent: whoever does. */
  holder?: string;
}
export interface Grant {
  held: boolean;
  holder: string;
  epoch: number;
  expiresMs: number;
}

/** Selectors, answered from facts. */
export interface Selection {
  labels?: LabelRequirement[];
  fields?: FieldRequirement[];
}
export interface ReadOptions {
  at?: Revision;
  /** Rows at most; 0 or absent = up to PAGE_BYTES, of rows that aren't joined half of it. */
  limit?: number;
  /** Start after this key (the continue token's). */
  after?: Key;
  select?: Selection;
  assume?: Assume;
  /** 'items': the rows joined as bytes where all are current (`version`, `schema` as given, not encrypted), else entries. */
  join?: PageJoin;
  /** Bodies aren't needed: `value` is ''. */
  factsOnly?: boolean;
  /** The caller has this page, joined, as of a revision; `next` and `remaining` as that page had them. The store may answer `same` instead of the page. */
  known?: { revision: Revision; next: Key | undefined; remaining?: number | undefined };
}
export interface Page {
  ok: true;
  revision: Revision;
  entries: Entry[];
  /** Set instead of `entries` when joined: UTF-8 of `{"metadata":{"resourceVersion":"7",...},...},{...}`, in parts as they come. */
  items?: Uint8Array[];
  count: number;
  /** The page that the caller knows is the page that was asked for: only `revision` and `remaining` are set beside. */
  same?: true;
  /** Beside `same`, for a read without `limit`: nothing of what follows has changed either since the caller's revision. */
  rest?: true;
  /** Last key of the page when more follow. */
  next?: Key;
  /** Rows that follow in the range; absent with a selector (as upstream) or when there are none. */
  remaining?: number;
}

export interface VersionsOptions {
  /** Versions at most; 0 or absent = up to PAGE_BYTES. */
  limit?: number;
  /** Only versions older than this: the `next` of the page before. */
  before?: Revision;
  assume?: Assume;
}
export interface Versions {
  ok: true;
  /** The store's newest revision. */
  revision: Revision;
  versions: Version[];
  /** Set when older ones follow: their `before`. */
  next?: Revision;
}
/** One version of a row, or its deletion. */
export interface Version {
  revision: Revision;
  /** When it was written, milliseconds since 1970. */
  atMs: number;
  /** Who wrote it (CommitOptions.by); absent where nobody is known: rows of a release before, the base layer, expiry. */
  by?: string;
  /** Null: the row was deleted. */
  entry: Entry | null;
}

export interface PageJoin {
  version: string;
  schema: string;
  /** Between items: ',' by default, '\n' (which no stored text holds) for whoever takes them apart again. */
  separator?: ',' | '\n';
}
export interface WatchOptions {
  select?: Selection;
  assume?: Assume;
  /** Batches may come as `joined` where all their rows are current. */
  join?: EventJoin;
}
/** What rows are to be sent as: their version and schema must be these, else they come as entries. */
export interface EventJoin {
  kind: string;
  apiVersion: string;
  schema: string;
  /** The events in protobuf, of a built-in kind; JSON when absent. */
  as?: 'protobuf';
}
export interface Batch {
  /** Everything up to here has been delivered: a bookmark's resourceVersion. */
  revision: Revision;
  events: WatchEvent[];
  /** The events (and none in `events`) as a client gets them: UTF-8 lines of JSON, or protobuf frames. */
  joined?: Uint8Array;
  /** Batches of the same id are equal, whichever watch they come from. */
  id?: string;
  /** The batch before this one, of all watches that were told of that one. */
  before?: string;
  /** The batch that what comes next has before it: of one that comes to one watch alone. */
  at?: string;
}
export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  key: Key;
  /** The revision of the change, also of a DELETED. */
  revision: Revision;
  /** Body without resourceVersion: of a DELETED the last one. */
  value: string;
  version: string;
  schema: string;
  enc?: string;
}

export interface StoreInfo {
  revision: Revision;
  /** Watches resume after this; older ones throw 'compacted'. */
  compacted: Revision;
  /** Oldest revision that `read at` answers. */
  oldest: Revision;
  policy: Revision;
  /** Version of the store's own tables. */
  schema: number;
}

export type StoreErrorCode =
  /** The revision has left the window. */
  | 'compacted'
  /** The revision has not been reached. */
  | 'future'
  | 'too-large'
  /** Too much is queued, or the cluster is being restored; try again later. Never retried inside. */
  | 'overloaded'
  /** The disk has no room, and repeating it didn't settle what happened: 507. */
  | 'full'
  /** The reply was lost and repeating it didn't settle what happened: 504. */
  | 'unknown-outcome'
  /** The store could not be reached for as long as a takeover lasts: 503, come back. */
  | 'unavailable'
  /** The cluster does not exist or is deleted. */
  | 'no-cluster'
  | 'corrupt';
/** Thrown by every Store. Crosses RPC by its `code` (kept in the message as `code: text`). */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  /** The message without the code. */
  readonly text: string;
  readonly retryAfterSeconds: number;
  constructor(code: StoreErrorCode, text: string, retryAfterSeconds = 1) {
    super(`${code}: ${text}`);
    this.name = 'StoreError';
    this.code = code;
    this.text = text;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
