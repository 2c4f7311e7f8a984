import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MemoryStore } from '../../kube/store/memory.ts';
import type { Op, PutOp, Range, ReadOptions, Store } from '../../kube/store/store.ts';
import {
  deletePod,
  factsOf,
  type PodSpec,
  podKey,
  pods,
  print,
  putPod,
  SCHEMA,
  Tap,
  value,
} from '../../kube/store/suite-kit.ts';
import type { BaseLayer } from '../../workers/tenant/base.ts';
import { seeded } from '../fuzz/random.ts';
import { open } from './world.ts';

/** Steps per seed: enough that every row is created, changed, deleted and created again, with compactions between. */
const STEPS = 300;

const LAYER: BaseLayer = {
  hash: 'base-1',
  rows: ['a', 'c', 'e', 'g'].map((name, i) => {
    const spec = { namespace: i < 2 ? 'n1' : 'n2', labels: { app: 'x' }, policy: i === 3 ? 'P' : undefined } as PodSpec;
    if (i !== 3) delete spec.policy;
    return { key: podKey(name, spec.namespace), text: value(name, spec).text, ...SCHEMA, facts: factsOf(name, spec) };
  }),
};

function randomSpec(random: () => number): PodSpec {
  const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  const spec: PodSpec = { namespace: pick('n1', 'n2'), mark: Math.floor(random() * 1000) };
  if (random() < 0.7) spec.labels = { app: pick('x', 'y') };
  if (random() < 0.5) spec.node = pick('m1', 'm2');
  if (random() < 0.3) spec.owners = [pick('o1', 'o2')];
  if (random() < 0.2) spec.refs = [pick('secrets/n1/s', 'secrets/n2/s')];
  if (random() < 0.2) spec.policy = pick('P', 'Q');
  return spec;
}

function randomOps(random: () => number, revision: number): Op[] {
  const ops: Op[] = [];
  for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
    const spec = randomSpec(random);
    const name = 'abcdefgh'.charAt(Math.floor(random() * 8));
    const op: PutOp = random() < 0.3 ? deletePod(name, spec.namespace) : putPod(name, spec);
    const luck = random();
    if (luck < 0.2) op.expect = 0;
    else if (luck < 0.4) op.expect = Math.floor(random() * (revision + 1));
    if (luck > 0.8) {
      const key = podKey('abcdefgh'.charAt(Math.floor(random() * 8)), 'n1');
      op.when =
        random() < 0.5
          ? { owned: random() < 0.5 ? 'o1' : 'o2' }
          : { absent: [{ key, uid: factsOf(key.slice(-1), spec).uid }] };
    }
    if (op.value && random() < 0.1) op.ttlMs = 1 + Math.floor(random() * 5_000);
    ops.push(op);
  }
  if (random() < 0.2) ops.push({ claim: { name: 'p', ports: { from: 1, to: 40 } }, owner: podKey('a', 'n1') });
  if (random() < 0.1) ops.push({ charge: 'c', by: random() < 0.6 ? 1 : -1, limit: 5 });
  return ops;
}

/** Everything that reads can tell of a store, in one value. */
async function picture(store: Store, random: () => number): Promise<unknown> {
  const { schema: _, ...info } = await store.info();
  const at = info.compacted + Math.floor(random() * (info.revision - info.compacted + 1));
  const select: ReadOptions['select'] =
    random() < 0.5
      ? { labels: [{ key: 'app', op: random() < 0.5 ? 'In' : 'NotIn', values: ['x'] }] }
      : { fields: [{ field: 'spec.nodeName', op: random() < 0.5 ? '=' : '!=', value: random() < 0.5 ? 'm1' : '' }] };
  const range: Range = random() < 0.5 ? pods() : pods('n1');
  const limit = 1 + Math.floor(random() * 4);
  const tap = new Tap(store.watch(range, at, random() < 0.5 ? { select } : {}));
  while (tap.revision < info.revision) await tap.step();
  await tap.stop();
  return {
    info,
    now: await store.read(range),
    past: await store.read(range, { at }),
    page: await store.read(range, { limit }),
    pastPage: await store.read(range, { limit, at, after: podKey('c', 'n1') }),
    selected: await store.read(range, { select }),
    pastSelected: await store.read(range, { select, at }),
    joined: whole(await store.read(range, { join: SCHEMA, limit })),
    owned: await store.related('owner', 'o1'),
    on: await store.related('node', 'm1', { resource: 'pods', limit: 2 }),
    naming: await store.related('ref', 'secrets/n1/s'),
    versions: await store.versions(podKey('c', 'n1'), { limit }),
    policy: sorted(await store.confirm({ policy: at })),
    events: tap.events.map((e) => `${print(e)} ${e.value}`),
  };
}

/** A joined page comes in any number of parts. */
function whole(page: Awaited<ReturnType<Store['read']>>): unknown {
  return 'items' in page ? { ...page, items: Buffer.concat(page.items ?? []).toString() } : page;
}

/** Changes of a View have no order. */
function sorted(answer: Awaited<ReturnType<Store['confirm']>>): unknown {
  return 'changes' in answer ? { ...answer, changes: answer.changes.sort((a, b) => (a.key < b.key ? -1 : 1)) } : answer;
}

for (const [name, layer] of [
  ['its own rows', null],
  ['a base layer', LAYER],
] as const) {
  for (let seed = 1; seed <= 6; seed++) {
    it(`SqliteStore on ${name} answers as MemoryStore does (seed ${seed})`, async () => {
      const random = seeded(seed).next;
      const w = open({ layer: () => layer ?? undefined }, layer?.hash);
      const { clock } = w;
      const model = new MemoryStore(clock.env);
      for (const row of layer?.rows ?? []) {
        const { key, text, version, schema, facts } = row;
        await model.commit([{ key, expect: 0, value: { text, version, schema }, facts }]);
      }
      for (let step = 0; step < STEPS; step++) {
        const { revision } = await model.info();
        const ops = randomOps(random, revision);
        const by = random() < 0.5 ? { by: `user-${step}` } : {};
        assert.deepEqual(await w.store.commit(ops, by), await model.commit(ops, by), `commit of step ${step}`);
        if (random() < 0.1) await clock.advance(Math.floor(random() * 3_000));
        if (random() < 0.03) {
          const before = Math.floor(random() * revision);
          await Promise.all([w.store.compact(before), model.compact(before), clock.advance(1)]);
        }
        // What a restarted object reads back from its tables is what it knew.
        if (random() < 0.1) w.reopen();
        if (random() > 0.3) continue;
        const same = Math.floor(random() * 2 ** 31);
        assert.deepEqual(
          await picture(w.store, seeded(same).next),
          await picture(model, seeded(same).next),
          `step ${step}`,
        );
      }
      w.sql.close?.();
    });
  }
}
