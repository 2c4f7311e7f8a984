// Pods and Services over several machines: namespaces with an agent and a containerd each, two in one subnet, one in another. Real
// packets only; who asks and who answers is a program in the pods' own namespaces.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Peer } from '../../node-agent/network/proxy/testing/machine.ts';
import { type Machines, startMachines } from './machines.ts';
import { findKubectl } from './system.ts';

const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
/** Until a change of a Service is in every node's packet filter. */
const PROGRAMMED_MS_MAX = 10_000;
/** Pods by name, with the number of their machine. */
const PODS = { a1: 0, a2: 0, b1: 1, c1: 2 } as const;
type Pod = keyof typeof PODS;

let m: Machines;
const at = new Map<string, { ip: string; peer: Peer }>();
const pod = (name: string) => at.get(name) as { ip: string; peer: Peer };
/** `by source`, or why there is no answer. */
type Answer = string;
const named = (a: unknown): Answer => {
  if (typeof a === 'string') return a;
  const { by, source } = a as { by: string; source: string };
  const from = [...at].find(([, p]) => p.ip === source)?.[0] ?? m.nodes.find((n) => n.address === source)?.name;
  return `${by} saw ${from ?? source}`;
};
const ask = async (from: Peer, ip: string, port: number, protocol = 'tcp'): Promise<Answer> =>
  named(await from.ask({ what: 'ask', ip, port, protocol }));
const many = async (from: Peer, ip: string, port: number, times = 20): Promise<string[]> =>
  ((await from.ask({ what: 'ask', ip, port, times })) as unknown[]).map(named);
const who = (answers: readonly Answer[]) => [...new Set(answers.map((a) => a.split(' ')[0]))].sort();

/** A Service of the pods with the label `NAME=yes`. */
async function service(name: string, spec: string, pods: readonly Pod[]): Promise<{ ip: string; nodePort: number }> {
  const ports = '[{name: tcp, port: 80, targetPort: 8080}, {name: udp, protocol: UDP, port: 80, targetPort: 8080}]';
  await m.apply(
    `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {selector: {${name}: 'yes'}, ports: ${ports}, ${spec}}}`,
  );
  await select(name, pods);
  const made = JSON.parse(await m.kubectl('get', 'service', name, '-o', 'json'));
  return { ip: made.spec.clusterIP, nodePort: made.spec.ports[0].nodePort ?? 0 };
}
/** Makes these pods, and no others, the Service's endpoints, and waits until the slices say so. */
async function select(name: string, pods: readonly string[]): Promise<void> {
  for (const p of Object.keys(PODS)) {
    const label = pods.includes(p) ? `${name}=yes` : `${name}-`;
    await m.kubectl('label', '--overwrite', 'pod', p, label);
  }
  const want = pods
    .map((p) => pod(p).ip)
    .sort()
    .join(' ');
  await until(async () => {
    const got = await m.kubectl(
      'get',
      'endpointslices',
      '-l',
      `kubernetes.io/service-name=${name}`,
      '-o',
      'jsonpath={.items[*].endpoints[*].addresses[0]}',
    );
    return got.split(' ').filter(Boolean).sort().join(' ') === want;
  });
}
async function until(f: () => Promise<boolean>, what: () => string = () => 'not in time'): Promise<void> {
  const end = Date.now() + PROGRAMMED_MS_MAX;
  while (!(await f())) {
    assert.ok(Date.now() < end, what());
    await delay(50);
  }
}
/** Asks until the answer is as wanted: nodes hear of changes one after the other. */
async function becomes(want: Answer, f: () => Promise<Answer>): Promise<void> {
  let last = '';
  await until(
    async () => {
      last = await f();
      return last === want;
    },
    () => `${last}, not ${want}`,
  );
}

before(
  async () => {
    if (skip) return;
    m = await startMachines([1, 1, 2]);
    const spec = (n: number) =>
      `{nodeName: machine-${n}, terminationGracePeriodSeconds: 0, containers: [{name: main, image: 'coracle.dev/pause:1', imagePullPolicy: Never}]}`;
    const pods = Object.entries(PODS).map(
      ([name, n]) => `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: ${spec(n)}}`,
    );
    await m.apply(pods.join('\n---\n'));
    await m.kubectl('wait', '--for=condition=Ready', ...Object.keys(PODS).map((p) => `pod/${p}`), '--timeout=90s');
    for (const [name, n] of Object.entries(PODS)) {
      const ip = await m.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.podIP}');
      const peer = (await m.nodes[n]?.inPod(ip)) as Peer;
      await peer.ask({ what: 'serve', name, port: 8080 });
      at.set(name, { ip, peer });
    }
  },
  { timeout: 600_000 },
);
after(async () => {
  await m?.close();
});

test('every pod reaches every other one by its address, and is seen with its own', { skip }, async () => {
  for (const from of Object.keys(PODS))
    for (const to of Object.keys(PODS)) {
      if (from === to) continue;
      await becomes(`${to} saw ${from}`, () => ask(pod(from).peer, pod(to).ip, 8080));
      assert.equal(await ask(pod(from).peer, pod(to).ip, 8080, 'udp'), `${to} saw ${from}`);
    }
  assert.equal(await m.kubectl('get', 'node', 'machine-2', '-o', 'jsonpath={.spec.podCIDRs[0]}'), '10.244.0.0/24');
  assert.match(pod('c1').ip, /^10\.244\.0\./, 'a node without a range of its own is given one');
  const conditions = await m.kubectl(
    'get',
    'nodes',
    '-o',
    'jsonpath={.items[*].status.conditions[?(@.type=="NetworkUnavailable")].reason}',
  );
  assert.equal(conditions, 'RouteCreated RouteCreated RouteCreated');
});

test('nodes reach pods of all nodes, and pods what is outside, hidden behind their node', { skip }, async () => {
  for (const n of m.nodes)
    for (const to of Object.keys(PODS)) assert.match(await ask(n, pod(to).ip, 8080), new RegExp(`^${to} saw `), n.name);
  await m.outside.ask({ what: 'serve', name: 'outside', port: 8090 });
  for (const [from, n] of Object.entries(PODS))
    assert.equal(await ask(pod(from).peer, m.outsideAddress(n), 8090), `outside saw machine-${n}`);
});

test('a ClusterIP is served to pods and nodes alike, on every machine', { skip }, async () => {
  const s = await service('all', '', ['a2', 'b1', 'c1']);
  for (const from of ['a1', 'b1', 'c1'])
    await until(async () => who(await many(pod(from).peer, s.ip, 80)).join() === 'a2,b1,c1');
  for (const n of m.nodes) assert.deepEqual(who(await many(n, s.ip, 80)), ['a2', 'b1', 'c1'], n.name);
});

test('a pod reaches itself through its Service', { skip }, async () => {
  const s = await service('self', '', ['a1']);
  await becomes(`a1 saw 10.215.0.1`, () => ask(pod('a1').peer, s.ip, 80));
});

test('a node port is served on every machine, wherever the pod is', { skip }, async () => {
  const s = await service('port', 'type: NodePort', ['b1']);
  for (const n of m.nodes) {
    const entry = n.address;
    await until(async () => (await ask(m.outside, entry, s.nodePort)).startsWith('b1 saw '));
    assert.match(await ask(pod('a1').peer, entry, s.nodePort), /^b1 saw /);
  }
});

test('external policy Local keeps the source, and only machines with a pod answer', { skip }, async () => {
  const s = await service('near', 'type: NodePort, externalTrafficPolicy: Local', ['b1']);
  const [a, b] = m.nodes.map((n) => n.address) as [string, string];
  await becomes(`b1 saw ${m.outsideAddress(1)}`, () => ask(m.outside, b, s.nodePort));
  assert.equal(await ask(m.outside, a, s.nodePort), 'silent');
  assert.equal(await ask(pod('a1').peer, a, s.nodePort), 'b1 saw a1', 'pods come from inside');
});

test('internal policy Local sends to the machine’s own pods', { skip }, async () => {
  const s = await service('own', 'internalTrafficPolicy: Local', ['a2', 'b1']);
  await becomes('a2 saw a1', () => ask(pod('a1').peer, s.ip, 80));
  assert.deepEqual(who(await many(pod('a1').peer, s.ip, 80)), ['a2']);
  await becomes('silent', () => ask(pod('c1').peer, s.ip, 80));
});

test('a client with affinity stays with its pod', { skip }, async () => {
  const s = await service('same', 'sessionAffinity: ClientIP', ['a2', 'b1', 'c1']);
  await until(async () => who([await ask(pod('a1').peer, s.ip, 80)]).join() !== 'refused');
  assert.equal(who(await many(pod('a1').peer, s.ip, 80)).length, 1);
});

test('UDP follows the endpoints, also for a client that goes on with its socket', { skip }, async () => {
  const s = await service('udp', '', ['b1']);
  await becomes('b1 saw a1', () => ask(pod('a1').peer, s.ip, 80, 'udp'));
  const connection = await pod('a1').peer.ask({ what: 'connect', ip: s.ip, port: 80, protocol: 'udp' });
  const again = async () => named(await pod('a1').peer.ask({ what: 'again', connection }));
  assert.equal(await again(), 'b1 saw a1');
  await select('udp', ['c1']);
  await becomes('c1 saw a1', again);
});

test('while endpoints come and go, no connection to those that stay is lost', { skip }, async () => {
  const s = await service('load', '', ['a2', 'b1', 'c1']);
  await until(async () => who(await many(pod('a1').peer, s.ip, 80)).join() === 'a2,b1,c1');
  const answers: string[] = [];
  let going = true;
  const load = [pod('a1').peer, m.nodes[1] as Peer].map(async (from) => {
    while (going) for (const a of await many(from, s.ip, 80, 50)) answers.push(a);
  });
  for (const pods of [['a2', 'b1'], ['b1', 'c1'], ['c1'], ['a2', 'b1', 'c1']] as Pod[][]) await select('load', pods);
  going = false;
  await Promise.all(load);
  // A pod that is no endpoint any more still answers here: nothing may fail.
  assert.deepEqual(who(answers), ['a2', 'b1', 'c1']);
  assert.ok(answers.length > 200, `${answers.length}`);
});

test('an agent that starts anew cuts nothing', { skip }, async () => {
  const s = await service('keep', 'sessionAffinity: ClientIP', ['a2', 'b1', 'c1']);
  const { peer } = pod('a1');
  await until(async () => who([await ask(peer, s.ip, 80)]).join() !== 'refused');
  const connection = await peer.ask({ what: 'connect', ip: s.ip, port: 80 });
  const again = async () => named(await peer.ask({ what: 'again', connection }));
  const first = await again();
  const [node] = m.nodes;
  await node?.stopAgent();
  assert.equal(await again(), first);
  assert.deepEqual(new Set(await many(peer, s.ip, 80)), new Set([first]), 'Services are served without an agent');
  node?.startAgent();
  const seen: string[] = [];
  for (let i = 0; i < 20; i++) {
    seen.push(await again(), ...(await many(peer, s.ip, 80, 10)));
    await delay(100);
  }
  assert.deepEqual(new Set(seen), new Set([first]), 'nor while it starts, affinity included');
});
