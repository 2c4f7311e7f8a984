import { parseJson } from '../../codec/json.ts';
import { kindByGVK, kindByStorage } from '../../kinds/index.ts';
import type { Kind } from '../../kinds/kind.ts';
import type { Env } from '../../meta/env.ts';
import type { Facts } from '../../meta/facts.ts';
import type { JsonObject } from '../../meta/json.ts';
import { type KubeObject, parseApiVersion } from '../../meta/object.ts';
import { alreadyExists, conflict, notFound, type StatusError } from '../../meta/status.ts';
import { type Interest, Interests, matches } from '../../store/interest.ts';
import { keyOf, resourceOfKey } from '../../store/key.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { CommitOptions, Entry, Fence, Key, Revision } from '../../store/store.ts';
import { VirtualClock } from '../../store/suite-clock.ts';
import type { ChangeSource, Changes } from '../changes.ts';
import type { Effect, EffectResult, Note, Write } from '../controller.ts';
import { resourceOf } from '../interests.ts';
import type { Client, WriteResult } from '../runner.ts';

const RESOURCE = { group: '', resource: 'objects' };

/** A kind of this release that a test needs. */
export function kindOf(storage: string): Kind {
  const kind = kindByStorage(storage);
  if (!kind) throw new Error(`no kind is stored as ${storage}`);
  return kind;
}

/** An object in a few words. */
export function object(
  kind: string,
  name: string,
  more: Partial<KubeObject> & { metadata?: JsonObject } = {},
): KubeObject {
  const { metadata, ...rest } = more;
  const apiVersion = kind === 'ReplicaSet' ? 'apps/v1' : 'v1';
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    ...rest,
  } as KubeObject;
}

/** A cluster without an API server: what a runner reads and writes, on the model of the store. `refuse` and `effects` are the test's. */
export class TestCluster implements ChangeSource, Client {
  readonly clock = new VirtualClock();
  readonly store = new MemoryStore(this.clock.env);
  readonly env: Env = {
    ...this.clock.env,
    random: () => 0.5,
    uuid: () => '00000000-0000-4000-8000-000000000000',
    log: (level, event, fields) => {
      if (level === 'error') this.errors.push(`${event} ${String(fields?.key ?? fields?.error)}`);
    },
  };
  /** What was asked for, in order: `create pods/default/a`, `note ...`, `effect ...`. */
  readonly told: string[] = [];
  readonly errors: string[] = [];
  /** Refuses a write with what it gives; may throw: the loop's process ends. */
  refuse: (write: Write) => StatusError | undefined = () => undefined;
  effects: (effect: Effect) => EffectResult = () => ({ ok: true, value: {} });
  /** Changes past this revision aren't shown yet. */
  shownTo: Revision = Number.POSITIVE_INFINITY;
  /** Cursors before this are too old. */
  compacted: Revision = 0;
  fence: Fence | undefined;
  /** Every change there was, as a store's history has it. */
  readonly #log: { key: Key; revision: Revision; prev: Facts | null; next: Facts | null }[] = [];
  /** What was registered, newest last; and how many rows were read for changes and snapshots. */
  readonly registered: (readonly Interest[])[] = [];
  rowsRead = 0;

  async entry(key: Key): Promise<Entry | null> {
    const page = await this.store.read({ from: key, to: `${key}\0` });
    return page.ok ? (page.entries[0] ?? null) : null;
  }
  async keys(resource: string): Promise<string[]> {
    const page = await this.store.read({ from: `${resource}/`, to: `${resource}0` });
    return page.ok ? page.entries.map((e) => e.key) : [];
  }
  async get(key: Key): Promise<KubeObject | undefined> {
    const entry = await this.entry(key);
    return entry ? (parseJson(entry.value) as KubeObject) : undefined;
  }

  /** Writes as a user would: under no fence, refused by nobody. */
  async put(o: KubeObject): Promise<Revision> {
    const done = await this.#commit(o, undefined);
    if (!done.ok) throw new Error('the write was lost');
    return done.revision;
  }
  async remove(key: Key): Promise<void> {
    await this.#gone(key, {});
  }

  async changes(after: Revision, interests: readonly Interest[]): Promise<Changes> {
    const revision = Math.min((await this.store.info()).revision, this.shownTo);
    const wanted = new Interests(interests.map((i) => [i, true] as const));
    if (after === 0 || after < this.compacted) {
      const all = (await Promise.all(interests.map((i) => this.snapshot(i)))).flatMap((page) => page.entries);
      const rows = all.map((entry) => ({ key: entry.key, revision: entry.revision, entry }));
      return { revision, rows, more: false, restart: true };
    }
    const newest = new Map<Key, Revision>();
    for (const c of this.#log)
      if (c.revision > after && c.revision <= revision)
        wanted.news(c.key, c.prev, c.next, () => newest.set(c.key, c.revision));
    const rows = [];
    for (const [key, r] of newest) {
      const entry = await this.entry(key);
      this.rowsRead++;
      rows.push({ key, revision: r, entry: entry && wanted.wants(key, entry.facts) ? entry : null });
    }
    return { revision, rows, more: false };
  }
  async register(interests: readonly Interest[]): Promise<void> {
    this.registered.push(interests);
  }
  async snapshot(interest: Interest): Promise<{ revision: Revision; entries: Entry[] }> {
    const found = await Promise.all((await this.keys(interest.resource)).map((key) => this.entry(key)));
    const entries = found.filter((e) => e !== null).filter((e) => matches(interest, e.key, e.facts));
    this.rowsRead += entries.length;
    return { revision: (await this.store.info()).revision, entries };
  }

  async write(_controller: string, w: Write): Promise<WriteResult> {
    const key = w.do === 'create' || w.do === 'update' ? keyOfObject(w.object) : w.key;
    this.told.push(`${w.do} ${key}`);
    const refused = this.refuse(w);
    if (refused) return { ok: false, status: refused.status };
    const standing = await this.entry(key);
    if (w.do === 'delete') {
      if (!standing) return { ok: true, revision: 0, gone: true };
      if (!(await this.#gone(key, this.#fenced() ?? {}))) return DEPOSED;
      return { ok: true, revision: 0 };
    }
    if (w.do === 'create' && standing) return { ok: false, status: alreadyExists(RESOURCE, key).status };
    if (w.do !== 'create' && !standing) return { ok: false, status: notFound(RESOURCE, key).status };
    const asked = w.do === 'create' || w.do === 'update' ? w.object : await this.get(key);
    const done = await this.#commit(asked as KubeObject, this.#fenced()?.fence);
    if (done.ok) return { ok: true, revision: done.revision };
    if ('lost' in done && done.lost === 'fence') return DEPOSED;
    return { ok: false, status: conflict(RESOURCE, key, 'it has changed').status };
  }
  async note(_controller: string, n: Note): Promise<void> {
    this.told.push(`note ${n.type} ${n.reason} ${n.on}: ${n.message}`);
  }
  async effect(_controller: string, e: Effect): Promise<EffectResult> {
    this.told.push(`effect ${e.id}`);
    return this.effects(e);
  }

  #fenced(): { fence: Fence } | undefined {
    return this.fence ? { fence: this.fence } : undefined;
  }
  async #gone(key: Key, o: CommitOptions): Promise<boolean> {
    const prev = (await this.entry(key))?.facts ?? null;
    const done = await this.store.commit([{ key, expect: undefined, value: null }], o);
    if (done.ok && done.revision > 0) this.#log.push({ key, revision: done.revision, prev, next: null });
    return done.ok;
  }
  async #commit(o: KubeObject, fence: Fence | undefined) {
    const key = keyOfObject(o);
    const { apiVersion, kind: _, metadata, ...rest } = o;
    const { resourceVersion, ...kept } = metadata as typeof metadata & JsonObject;
    const expect = resourceVersion === undefined ? undefined : Number(resourceVersion);
    const value = { text: JSON.stringify({ metadata: kept, ...rest }), version: apiVersion ?? 'v1', schema: '' };
    const facts: Facts = { uid: metadata.uid ?? `uid-${metadata.name}`, labels: metadata.labels ?? {} };
    if (metadata.ownerReferences) facts.owners = metadata.ownerReferences.map((r) => r.uid);
    const fields = kindOf(resourceOfKey(key)).fields ?? {};
    facts.fields = Object.fromEntries(Object.entries(fields).map(([name, of]) => [name, of(o)]));
    const prev = (await this.entry(key))?.facts ?? null;
    const done = await this.store.commit([{ key, expect, value, facts }], fence ? { fence } : {});
    if (done.ok) this.#log.push({ key, revision: done.revision, prev, next: facts });
    return done;
  }
}

const DEPOSED: WriteResult = {
  ok: false,
  deposed: true,
  status: conflict(RESOURCE, '', 'the lease has gone to another').status,
};

function keyOfObject(o: KubeObject): Key {
  const gv = parseApiVersion(o.apiVersion ?? 'v1');
  const kind = gv && kindByGVK({ ...gv, kind: o.kind ?? '' });
  if (!kind) throw new Error(`no kind ${o.apiVersion} ${o.kind}`);
  const [plural = '', ...group] = resourceOf(kind).split('.');
  return keyOf(
    group.join('.'),
    plural,
    kind.scope === 'Cluster' ? '' : (o.metadata.namespace ?? ''),
    o.metadata.name ?? '',
  );
}
