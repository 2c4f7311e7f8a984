import assert from 'node:assert/strict';
import type { Facts } from '../meta/facts.ts';
import { keyOf, rangeOf } from './key.ts';
import type {
  Batch,
  Commit,
  CommitOptions,
  Entry,
  EventJoin,
  Key,
  Op,
  Page,
  PutOp,
  Range,
  ReadOptions,
  Revision,
  Store,
  StoreErrorCode,
  Value,
  WatchEvent,
} from './store.ts';

/** A fresh, empty store under test, and what the suite may do to its world. */
export interface Harness {
  store: Store;
  /** Moves the store's clock and lets what came due happen. Absent: cases that need it are skipped. */
  advance?(ms: number): Promise<void>;
  close?(): Promise<void>;
}

/** One behaviour of every store. */
export interface Case {
  name: string;
  /** Needs Harness.advance. */
  clock?: true;
  run(h: Required<Pick<Harness, 'store' | 'advance'>>): Promise<void>;
}

/** The schema hash and version that the cases store under. */
export const SCHEMA = { version: 'v1', schema: 's1' } as const;

/** What a case says of a pod; anything absent is left out of body and facts. */
export interface PodSpec {
  namespace?: string;
  labels?: Record<string, string>;
  node?: string;
  owners?: string[];
  refs?: string[];
  policy?: string;
  uid?: string;
  /** Told apart by this. */
  mark?: string | number;
}

/** The key of a pod in `default` or another namespace. */
export const podKey = (name: string, namespace = 'default'): Key => keyOf('', 'pods', namespace, name);
/** All pods, or those of one namespace. */
export const pods = (namespace = ''): Range => rangeOf('', 'pods', namespace);
/** One key. */
export const only = (key: Key): Range => ({ from: key, to: `${key}\0` });

/** A stored body. */
export function value(name: string, spec: PodSpec = {}): Value {
  const metadata = {
    name,
    namespace: spec.namespace ?? 'default',
    uid: spec.uid ?? `uid-${name}`,
    labels: spec.labels,
  };
  return { text: JSON.stringify({ metadata, spec: { nodeName: spec.node, mark: spec.mark } }), ...SCHEMA };
}

/** The facts that go with value(). */
export function factsOf(name: string, spec: PodSpec = {}): Facts {
  const facts: Facts = { uid: spec.uid ?? `uid-${name}`, fields: { 'spec.nodeName': spec.node ?? '' } };
  if (spec.labels) facts.labels = spec.labels;
  if (spec.node !== undefined) facts.node = spec.node;
  if (spec.owners) facts.owners = spec.owners;
  if (spec.refs) facts.refs = spec.refs;
  if (spec.policy !== undefined) facts.policy = spec.policy;
  return facts;
}

/** An op that writes a pod whatever is there; `expect` makes it conditional. */
export function putPod(name: string, spec: PodSpec = {}, expect?: Revision): PutOp {
  return { key: podKey(name, spec.namespace), expect, value: value(name, spec), facts: factsOf(name, spec) };
}

/** An op that deletes a pod. */
export function deletePod(name: string, namespace?: string, expect?: Revision): PutOp {
  return { key: podKey(name, namespace), expect, value: null };
}

/** Commits and insists that it won. */
export async function won(store: Store, ops: Op[], o?: CommitOptions): Promise<Extract<Commit, { ok: true }>> {
  const commit = await store.commit(ops, o);
  assert.ok(commit.ok, `the commit was lost: ${JSON.stringify(commit)}`);
  return commit;
}

/** Writes a pod; its revision. */
export async function put(store: Store, name: string, spec: PodSpec = {}): Promise<Revision> {
  return (await won(store, [putPod(name, spec)])).revision;
}

/** Deletes a pod; the revision of that. */
export async function remove(store: Store, name: string, namespace?: string): Promise<Revision> {
  return (await won(store, [deletePod(name, namespace)])).revision;
}

/** Reads and insists on a page. */
export async function page(store: Store, range: Range, o?: ReadOptions): Promise<Page> {
  const answer = await store.read(range, o);
  assert.ok(answer.ok, 'the read was stale');
  return answer;
}

/** The row at a key. */
export async function get(store: Store, key: Key, o?: ReadOptions): Promise<Entry | undefined> {
  return (await page(store, only(key), o)).entries[0];
}

/** Names of a page's rows. */
export const names = (p: { entries: Entry[] }): string[] =>
  p.entries.map((e) => e.key.slice(e.key.lastIndexOf('/') + 1));

/** Insists that `act` throws a StoreError of that code. */
export async function throwsCode(code: StoreErrorCode, act: () => Promise<unknown>): Promise<void> {
  await assert.rejects(act, (e: unknown) => {
    assert.equal((e as { code?: string }).code, code);
    assert.equal((e as Error).name, 'StoreError');
    return true;
  });
}

/** A watch being read. */
export class Tap {
  /** How many batches came joined. */
  joined = 0;
  /** Events not yet taken. */
  readonly events: WatchEvent[] = [];
  /** Of the last batch. */
  revision: Revision = 0;
  readonly #iterator: AsyncIterator<Batch>;

  constructor(watch: AsyncIterable<Batch>) {
    this.#iterator = watch[Symbol.asyncIterator]();
  }

  /** Reads one batch; false at the end. */
  async step(): Promise<boolean> {
    const r = await this.#iterator.next();
    if (r.done) return false;
    assert.ok(r.value.revision >= this.revision, 'a batch went back in revision');
    this.revision = r.value.revision;
    this.events.push(...r.value.events, ...eventsOf(r.value.joined));
    if (r.value.joined) this.joined++;
    return true;
  }

  /** The next n events, as `TYPE name@revision`. */
  async take(n: number): Promise<string[]> {
    while (this.events.length < n && (await this.step()));
    return this.events.splice(0, n).map(print);
  }

  /** Reads until everything up to `revision` has been delivered; all events so far. */
  async upTo(revision: Revision): Promise<string[]> {
    while (this.revision < revision && (await this.step()));
    return this.events.splice(0).map(print);
  }

  async stop(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** The events of a joined batch, as far as print() needs them. */
function eventsOf(joined: Uint8Array | undefined): WatchEvent[] {
  const lines = new TextDecoder().decode(joined).split('\n').slice(0, -1);
  return lines.map((line) => {
    const { type, object } = JSON.parse(line) as {
      type: WatchEvent['type'];
      object: { kind: string; apiVersion: string; metadata: { name: string; resourceVersion: string } };
    };
    assert.deepEqual([object.kind, object.apiVersion], [JOIN.kind, JOIN.apiVersion]);
    const { name, resourceVersion } = object.metadata;
    return { type, key: podKey(name), revision: Number(resourceVersion), value: '', version: '', schema: '' };
  });
}

/** What a watch may join rows of SCHEMA as. */
export const JOIN: EventJoin = { kind: 'Pod', apiVersion: SCHEMA.version, schema: SCHEMA.schema };

/** `ADDED name@7`. */
export const print = (e: WatchEvent): string => `${e.type} ${e.key.slice(e.key.lastIndexOf('/') + 1)}@${e.revision}`;
