import { parseJson } from '../../codec/json.ts';
import { kindByGVK, kindByStorage } from '../../kinds/index.ts';
import type { Kind } from '../../kinds/kind.ts';
import type { Env } from '../../meta/env.ts';
import type { Facts } from '../../meta/facts.ts';
import type { JsonObject } from '../../meta/json.ts';
import { type KubeObject, parseApiVersion } from '../../meta/object.ts';
import { alreadyExists, conflict, notFound, type StatusError } from '../../meta/status.ts';
import { type Interest, Interests, parseInterest } from '../../store/interest.ts';
import { keyOf } from '../../store/key.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { Entry, Fence, Key, Revision } from '../../store/store.ts';
import { VirtualClock } from '../../store/suite-clock.ts';
import type { Effect, EffectResult, Note, Write } from '../controller.ts';
import { type ChangeSource, type Changes, type Client, resourceOf, type WriteResult } from '../runner.ts';

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
  readonly #log: { key: Key; revision: Revision }[] = [];

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
    const done = await this.store.commit([{ key, expect: undefined, value: null }]);
    if (done.ok) this.#log.push({ key, revision: done.revision });
  }

  async changes(after: Revision, interests: readonly Interest[]): Promise<Changes> {
    const revision = Math.min((await this.store.info()).revision, this.shownTo);
    const wanted = new Interests<true>();
    for (const i of interests) wanted.add(i, true);
    const shown = (key: Key) => [...wanted.of(key)].length > 0;
    if (after === 0 || after < this.compacted) {
      const all = (await Promise.all(interests.map((i) => this.keys(parseInterest(i).resource)))).flat().filter(shown);
      const entries = await Promise.all(all.map((key) => this.entry(key)));
      const rows = entries.flatMap((entry) => (entry ? [{ key: entry.key, revision: entry.revision, entry }] : []));
      return { revision, rows, more: false, restart: true };
    }
    const newest = new Map(
      this.#log
        .filter((c) => c.revision > after && c.revision <= revision && shown(c.key))
        .map((c) => [c.key, c.revision]),
    );
    const rows = [];
    for (const [key, r] of newest) rows.push({ key, revision: r, entry: await this.entry(key) });
    return { revision, rows, more: false };
  }

  async write(_controller: string, w: Write): Promise<WriteResult> {
    const key = w.do === 'create' || w.do === 'update' ? keyOfObject(w.object) : w.key;
    this.told.push(`${w.do} ${key}`);
    const refused = this.refuse(w);
    if (refused) return { ok: false, status: refused.status };
    const standing = await this.entry(key);
    if (w.do === 'delete') {
      if (!standing) return { ok: true, revision: 0, gone: true };
      const done = await this.store.commit([{ key, expect: undefined, value: null }], this.#fenced());
      if (!done.ok) return DEPOSED;
      this.#log.push({ key, revision: done.revision });
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
  async #commit(o: KubeObject, fence: Fence | undefined) {
    const key = keyOfObject(o);
    const { apiVersion, kind: _, metadata, ...rest } = o;
    const { resourceVersion, ...kept } = metadata as typeof metadata & JsonObject;
    const expect = resourceVersion === undefined ? undefined : Number(resourceVersion);
    const value = { text: JSON.stringify({ metadata: kept, ...rest }), version: apiVersion ?? 'v1', schema: '' };
    const facts: Facts = { uid: metadata.uid ?? `uid-${metadata.name}`, labels: metadata.labels ?? {} };
    const done = await this.store.commit([{ key, expect, value, facts }], fence ? { fence } : {});
    if (done.ok) this.#log.push({ key, revision: done.revision });
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
