import type { Json, JsonObject } from '../../../kube/meta/json.ts';

/** mulberry32: the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A cluster and a pod that wants a node, as JSON of core/v1: what upstream's plug-ins are asked, and ours. */
export interface Case {
  nodes: JsonObject[];
  pods: JsonObject[];
  namespaces: JsonObject[];
  services: JsonObject[];
  budgets: JsonObject[];
  pod: JsonObject;
}

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const COLORS = ['red', 'blue', 'green'];
const SPACES = ['default', 'other'];
const IMAGES = ['gcr.io/a:latest', 'gcr.io/b:v1', 'gcr.io/c:latest', 'gcr.io/d:v2'];

/** A random case; the same for the same seed. */
export function caseOf(seed: number): Case {
  const random = randomOf(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const chance = (p: number) => random() < p;
  const opt = (name: string, p: number, make: () => Json): JsonObject => (chance(p) ? { [name]: make() } : {});

  const selector = (): JsonObject =>
    chance(0.7)
      ? { matchLabels: { color: pick(COLORS) } }
      : pick<JsonObject>([
          { matchExpressions: [{ key: 'color', operator: 'In', values: [pick(COLORS), pick(COLORS)] }] },
          { matchExpressions: [{ key: 'color', operator: 'NotIn', values: [pick(COLORS)] }] },
          { matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
          {},
        ]);
  const term = (): JsonObject => ({
    topologyKey: pick([HOST, ZONE, 'rack']),
    ...opt('labelSelector', 0.95, selector),
    ...opt('namespaces', 0.2, () => [pick(SPACES)]),
    ...opt('namespaceSelector', 0.2, () => pick<JsonObject>([{ matchLabels: { team: pick(['a', 'b']) } }, {}])),
  });
  const soft = (): Json => ({ weight: 1 + below(100), podAffinityTerm: term() });
  const terms = (p: number): JsonObject => ({
    ...opt('requiredDuringSchedulingIgnoredDuringExecution', p, () => [term(), ...(chance(0.2) ? [term()] : [])]),
    ...opt('preferredDuringSchedulingIgnoredDuringExecution', 0.4, () => [soft(), ...(chance(0.4) ? [soft()] : [])]),
  });
  const resources = (): JsonObject => ({
    requests: {
      ...opt('cpu', 0.7, () => `${100 * below(16)}m`),
      ...opt('memory', 0.6, () => `${128 * below(16)}Mi`),
      ...opt('example.com/gpu', 0.1, () => String(below(3))),
    },
  });
  const container = (i: number): JsonObject => ({
    name: `c${i}`,
    image: pick(['gcr.io/a', 'gcr.io/b:v1', 'gcr.io/c', 'gcr.io/none']),
    resources: resources(),
    ...opt('ports', 0.15, () => [
      {
        containerPort: 80,
        hostPort: pick([80, 81]),
        protocol: pick(['TCP', 'UDP']),
        ...opt('hostIP', 0.3, () => pick(['10.0.0.1', '10.0.0.2'])),
      },
    ]),
  });
  const metadata = (name: string): JsonObject => ({
    name,
    namespace: pick(SPACES),
    uid: `uid-${name}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { color: pick(COLORS), ...opt('tier', 0.5, () => pick(['x', 'y'])) },
  });
  const spec = (anti: number): JsonObject => ({
    containers: Array.from({ length: 1 + below(2) }, (_, i) => container(i)),
    ...opt('initContainers', 0.2, () => [{ ...container(8), ...opt('restartPolicy', 0.5, () => 'Always') }]),
    ...opt('overhead', 0.1, () => ({ cpu: '50m' })),
    ...opt('resources', 0.1, () => ({ requests: { cpu: `${100 * below(20)}m` } })),
    ...opt('affinity', 0.5, () => ({
      ...opt('podAffinity', 0.5, () => terms(0.4)),
      ...opt('podAntiAffinity', 0.6, () => terms(anti)),
    })),
  });

  const nodes = Array.from({ length: 4 + below(4) }, (_, i): JsonObject => {
    const name = `n${i}`;
    return {
      metadata: {
        name,
        labels: {
          ...(chance(0.95) ? { [HOST]: name } : {}),
          ...(chance(0.85) ? { [ZONE]: pick(['z1', 'z2', 'z3']) } : {}),
          ...(chance(0.5) ? { rack: pick(['r1', 'r2']) } : {}),
          disk: pick(['ssd', 'hdd']),
          size: String(below(10)),
        },
      },
      spec: {
        ...opt('unschedulable', 0.08, () => true),
        ...opt('taints', 0.3, () => [
          {
            key: pick(['k', 'l']),
            value: pick(['v', 'w']),
            effect: pick(['NoSchedule', 'PreferNoSchedule', 'PreferNoSchedule']),
          },
        ]),
      },
      status: {
        allocatable: {
          cpu: String(pick([4, 8, 16])),
          memory: pick(['8Gi', '16Gi', '5000Mi']),
          pods: String(pick([5, 20, 110])),
          ...opt('example.com/gpu', 0.3, () => '4'),
        },
        images: IMAGES.filter(() => chance(0.4)).map((n) => ({
          names: [n],
          sizeBytes: (20 + below(1500)) * 1024 * 1024,
        })),
      },
    };
  });
  const pods = Array.from({ length: below(25) }, (_, i): JsonObject => {
    const on = pick(nodes) as { metadata: { name: string } };
    return {
      metadata: { ...metadata(`x${i}`), ...opt('deletionTimestamp', 0.1, () => '2026-01-02T00:00:00Z') },
      spec: { ...spec(0.15), nodeName: on.metadata.name },
    };
  });
  const expression = (): Json =>
    pick<Json>([
      { key: 'disk', operator: 'In', values: [pick(['ssd', 'hdd'])] },
      { key: 'rack', operator: pick(['Exists', 'DoesNotExist']) },
      { key: 'size', operator: pick(['Gt', 'Lt']), values: [String(below(10))] },
      { key: 'disk', operator: 'NotIn', values: ['ssd'] },
    ]);
  const nodeTerm = (): Json =>
    chance(0.2)
      ? { matchFields: [{ key: 'metadata.name', operator: 'In', values: [`n${below(6)}`] }] }
      : { matchExpressions: [expression()] };
  const spread = (): Json => ({
    maxSkew: 1 + below(3),
    topologyKey: pick([HOST, ZONE, ZONE, 'rack']),
    whenUnsatisfiable: pick(['DoNotSchedule', 'ScheduleAnyway', 'ScheduleAnyway']),
    ...opt('labelSelector', 0.95, selector),
    ...opt('nodeAffinityPolicy', 0.2, () => pick(['Honor', 'Ignore'])),
    ...opt('nodeTaintsPolicy', 0.3, () => pick(['Honor', 'Ignore'])),
    ...opt('matchLabelKeys', 0.15, () => ['tier']),
  });
  const wanted = spec(0.3);
  const pod: JsonObject = {
    metadata: metadata('p'),
    spec: {
      ...wanted,
      affinity: {
        ...((wanted.affinity ?? {}) as JsonObject),
        ...opt('nodeAffinity', 0.35, () => ({
          ...opt('requiredDuringSchedulingIgnoredDuringExecution', 0.4, () => ({
            nodeSelectorTerms: [nodeTerm(), ...(chance(0.4) ? [nodeTerm()] : [])],
          })),
          ...opt('preferredDuringSchedulingIgnoredDuringExecution', 0.7, () => [
            { weight: 1 + below(100), preference: { matchExpressions: [expression()] } },
            { weight: 1 + below(100), preference: { matchExpressions: [expression()] } },
          ]),
        })),
      },
      ...opt('nodeSelector', 0.15, () => ({ disk: pick(['ssd', 'hdd']) })),
      ...opt('tolerations', 0.4, () => [
        { key: pick(['k', 'l']), operator: 'Exists', ...opt('effect', 0.5, () => 'PreferNoSchedule') },
      ]),
      ...opt('topologySpreadConstraints', 0.45, () => [spread(), ...(chance(0.5) ? [spread()] : [])]),
    },
  };
  const services = SPACES.filter(() => chance(0.4)).map(
    (namespace): JsonObject => ({ metadata: { name: 's', namespace }, spec: { selector: { color: pick(COLORS) } } }),
  );
  const namespaces = [
    { metadata: { name: 'default', labels: { team: 'a' } } },
    { metadata: { name: 'other', labels: { team: 'b' } } },
  ];
  freePorts(pods);
  return { nodes, pods, namespaces, services, pod, ...importance(seed, pods, pod) };
}

/** Lets one pod of each node alone keep its host ports: where two hold the same one, upstream forgets it with the first. */
function freePorts(pods: readonly JsonObject[]): void {
  const taken = new Set<unknown>();
  for (const p of pods) {
    const { nodeName, containers, initContainers } = p.spec as { nodeName: string } & Record<string, JsonObject[]>;
    const all = [...(containers ?? []), ...(initContainers ?? [])];
    if (taken.has(nodeName)) for (const c of all) delete c.ports;
    if (all.some((c) => c.ports)) taken.add(nodeName);
  }
}

/** Gives pods priorities and times, and budgets that guard some of them. */
function importance(seed: number, pods: JsonObject[], pod: JsonObject): { budgets: JsonObject[] } {
  const random = randomOf(seed + 1_000_000);
  const below = (n: number) => Math.floor(random() * n);
  for (const p of pods) {
    Object.assign(p.spec as JsonObject, { priority: below(4) - 1 });
    // No two begin at the same time: their order would be Go's sort's.
    const startTime = new Date(Date.UTC(2026, 0, 1, below(24), below(60), pods.indexOf(p))).toISOString();
    p.status = { startTime: startTime.replace('.000', '') };
  }
  Object.assign(pod.spec as JsonObject, { priority: 1 + below(3) });
  const budgets = SPACES.filter(() => random() < 0.6).map(
    (namespace): JsonObject => ({
      metadata: { name: 'b', namespace },
      spec: { selector: { matchLabels: { color: COLORS[below(3)] ?? '' } } },
      status: { disruptionsAllowed: below(3) },
    }),
  );
  return { budgets };
}
