import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { Pod, Taint } from './framework.ts';
import { randomOf } from './testing/cases.ts';
import { mayGo, type Naive } from './testing/naive.ts';
import { nodeObject, podObject } from './testing/objects.ts';
import { World } from './testing/world.ts';

const COLORS = ['red', 'blue', 'green'];
const SPACES = ['default', 'other'];
const NAMESPACES = { default: { team: 'a' }, other: { team: 'b' } };

/** Objects of a random cluster. */
function makers(seed: number) {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const maybe = <T>(p: number, make: () => T): T | undefined => (random() < p ? make() : undefined);
  const selector = () => ({ matchLabels: { color: pick(COLORS) } });
  const some = (name: string, value: Json | undefined): JsonObject => (value === undefined ? {} : { [name]: value });
  const term = () => ({
    topologyKey: pick(['zone', 'host']),
    labelSelector: selector(),
    ...some(
      'namespaces',
      maybe(0.2, () => [pick(SPACES)]),
    ),
    ...some(
      'namespaceSelector',
      maybe(0.2, () => ({ matchLabels: { team: pick(['a', 'b']) } })),
    ),
  });
  const required = (p: number) =>
    maybe(p, () => ({
      requiredDuringSchedulingIgnoredDuringExecution: [term(), ...(random() < 0.2 ? [term()] : [])],
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1 + Math.floor(random() * 100), podAffinityTerm: term() },
      ],
    }));
  const spread = () => ({
    topologyKey: pick(['zone', 'host']),
    maxSkew: pick([1, 2]),
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: selector(),
    ...some(
      'minDomains',
      maybe(0.2, () => pick([2, 3])),
    ),
  });
  let n = 0;
  return {
    random,
    pick,
    node: (name: string) =>
      nodeObject(name, {
        labels: { host: name, ...(random() < 0.9 ? { zone: pick(['x', 'y', 'z']) } : {}), disk: pick(['ssd', 'hdd']) },
        allocatable: { cpu: String(pick([2, 4, 8])) },
        taints: random() < 0.15 ? [{ key: 'k', effect: 'NoSchedule' }] : [],
      }),
    pod: () =>
      podObject(`p${n++}`, {
        namespace: pick(SPACES),
        labels: { color: pick(COLORS) },
        requests: { cpu: String(pick([0, 1, 1, 2])) },
        preemptionPolicy: 'Never',
        affinity: { ...some('podAffinity', required(0.15)), ...some('podAntiAffinity', required(0.2)) },
        ...(maybe(0.1, () => ({ ports: [pick([80, 81])] })) ?? {}),
        ...(maybe(0.2, () => ({ nodeSelector: { disk: pick(['ssd', 'hdd']) } })) ?? {}),
        ...(maybe(0.5, () => ({ tolerations: [{ operator: 'Exists' }] })) ?? {}),
        ...(maybe(0.3, () => ({ topologySpreadConstraints: [spread(), ...(random() < 0.3 ? [spread()] : [])] })) ?? {}),
      }),
  };
}

/** The world as the naive reference sees it. */
function naive(w: World): Naive {
  const all = [...w.objects.values()];
  const nodes = all.filter((o) => o.kind === 'Node');
  return {
    nodes: nodes.map((o) => ({
      name: o.metadata.name ?? '',
      labels: o.metadata.labels ?? {},
      taints: (o.spec?.taints ?? []) as unknown as Taint[],
      cpu: Number(((o.status?.allocatable ?? {}) as JsonObject).cpu),
    })),
    pods: all.filter((o) => o.kind === 'Pod' && o.spec?.nodeName) as unknown as Pod[],
    namespaces: NAMESPACES,
  };
}

const SEEDS = 60;
const STEPS = 60;

describe('in random clusters', () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    it(`pods go where they may, and wait only where they must (seed ${seed})`, () => {
      const { random, pick, node, pod } = makers(seed);
      const w = new World();
      for (const [name, labels] of Object.entries(NAMESPACES))
        w.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      w.onBind = (p, name) => {
        const before = naive(w);
        const to = before.nodes.find((n) => n.name === name);
        assert.ok(to && mayGo(before, p as unknown as Pod, to), `${p.metadata.name} must not go to ${name}`);
      };
      const names = Array.from({ length: 3 + Math.floor(random() * 6) }, (_, i) => `n${i}`);
      for (const name of names) w.put(node(name));
      for (let step = 0; step < STEPS; step++) {
        const pods = [...w.objects.keys()].filter((k) => k.startsWith('pods/'));
        const what = random();
        if (what < 0.6 || pods.length === 0) w.put(pod());
        else if (what < 0.8) w.remove(pick(pods));
        else if (what < 0.9) w.edit(pick(pods), (o) => Object.assign(o.metadata, { labels: { color: pick(COLORS) } }));
        else w.put(node(pick(names)));
        w.run();
        w.now += 1000 * Math.floor(random() * 15);
      }
      // Whoever rests is tried once more; nobody is flushed.
      w.pass(11_000);
      const end = naive(w);
      for (const p of [...w.objects.values()] as unknown as Pod[]) {
        if (p.kind !== 'Pod' || p.spec.nodeName) continue;
        const free = end.nodes.filter((n) => mayGo(end, p, n)).map((n) => n.name);
        assert.deepEqual(free, [], `${p.metadata.namespace}/${p.metadata.name} waits, but might go`);
      }
    });
});
