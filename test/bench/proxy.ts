// How long a Service takes from the API to packets, with 1,000 Services there: ours and, with --peer, kube-proxy (nftables) on a machine beside, both fed by the
// same control plane. Needs root. `node test/bench/proxy.ts [--services 1000] [--peer] [--rounds 20]`
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ip, type Machine, type Peer, startMachine } from '../../node-agent/network/proxy/testing/machine.ts';
import { startMachines } from '../e2e/machines.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '20' },
    peer: { type: 'boolean', default: false },
  },
});
const COUNT = Number(values.services);
const ROUNDS = Number(values.rounds);
const KUBE_PROXY = join(process.env.WORK ?? join(homedir(), '.cache/conformance'), 'bin/kube-proxy');
/** A whole programming of a cold peer takes seconds. */
const WAIT_MS_MAX = 120_000;
const NAMESPACE = 'bench';

/** A Service without a selector, and its slice: one endpoint, where a server answers. */
const object = (i: number, server: string, port: number) => {
  const name = `s${i}`;
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port }],
    endpoints: [{ addresses: [server], conditions: { ready: true } }],
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: { ports: [{ name: 'http', port: 80 }] },
  };
  return [service, slice];
};

const median = (ms: number[]) => [...ms].sort((a, b) => a - b)[Math.floor(ms.length / 2)] ?? 0;
const row = (name: string, ms: number[]) =>
  console.log(`| ${name} | ${median(ms).toFixed(0)} | ${Math.max(...ms).toFixed(0)} |`);

const m = await startMachines([1]);
let beside: Machine | undefined;
let kubeProxy: ReturnType<typeof spawn> | undefined;
try {
  const server = m.outsideAddress(0);
  for (const port of [8090, 8091]) await m.outside.ask({ what: 'serve', name: String(port), port });
  await m.kubectl('create', 'namespace', NAMESPACE);
  const items = Array.from({ length: COUNT }, (_, i) => object(i, server, 8090)).flat();
  for (let from = 0; from < items.length; from += 500)
    await m.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: items.slice(from, from + 500) }));
  const list = JSON.parse(await m.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'json')) as {
    items: { metadata: { name: string }; spec: { clusterIP: string } }[];
  };
  const addresses = new Map(list.items.map((s) => [s.metadata.name, s.spec.clusterIP]));

  const [node] = m.nodes;
  const sides: [string, Peer][] = [['ours', node as Peer]];
  if (values.peer) {
    beside = await startMachine(`pxy${process.pid % 100_000}`);
    await ip(`-n ${m.outside.namespace} link add topxy type veth peer name eth0 netns ${beside.namespace}`);
    await ip(`-n ${m.outside.namespace} link set topxy master br1 up`);
    await ip(`-n ${beside.namespace} address add 10.77.1.99/24 dev eth0`);
    await ip(`-n ${beside.namespace} link set eth0 up`);
    await ip(`-n ${beside.namespace} route add default via ${server}`);
    // Without an object of its own it waits half a minute for one.
    await m.apply(
      JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'beside' }, spec: { unschedulable: true } }),
    );
    const status = { status: { addresses: [{ type: 'InternalIP', address: '10.77.1.99' }] } };
    await m.send('PATCH', '/api/v1/nodes/beside/status', JSON.stringify(status), 'application/merge-patch+json');
    sides.push(['kube-proxy', beside]);
  }

  /** Until a machine is answered by `want` at a Service's address: milliseconds since `from`. */
  const until = async (peer: Peer, address: string, want: string, from: number): Promise<number> => {
    for (;;) {
      const a = (await peer.ask({ what: 'ask', ip: address, port: 80 })) as { by?: string } | string;
      if (typeof a !== 'string' && a.by === want) return Date.now() - from;
      if (Date.now() - from > WAIT_MS_MAX) throw new Error(`no answer of ${want} in time`);
      await delay(1);
    }
  };
  const last = addresses.get(`s${COUNT - 1}`) ?? '';

  console.log(`${COUNT} Services\n`);
  console.log('| ms | median | maximum |\n| --- | --- | --- |');
  // A start: until each of the Services is served.
  for (const [name, peer] of sides) {
    const all = async (from: number) => {
      for (const a of addresses.values()) await until(peer, a, '8090', from);
      return Date.now() - from;
    };
    if (name === 'ours') {
      await node?.stopAgent();
      await node?.flush();
      const from = Date.now();
      node?.startAgent();
      row('ours: process started until all are served', [await all(from)]);
    } else {
      const from = Date.now();
      kubeProxy = startKubeProxy(beside as Machine, await m.kubectl('config', 'view', '--raw', '--flatten'));
      row('kube-proxy: process started until all are served', [await all(from)]);
    }
  }
  // One change: the endpoint moves to another port.
  const took = new Map(sides.map(([name]) => [name, [] as number[]]));
  const fresh = new Map(sides.map(([name]) => [name, [] as number[]]));
  for (let i = 0; i < ROUNDS; i++) {
    const port = i % 2 ? 8090 : 8091;
    const patch = JSON.stringify({ ports: [{ name: 'http', protocol: 'TCP', port }] });
    const path = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices/s${COUNT - 1}`;
    const { sentMs } = await m.send('PATCH', path, patch, 'application/merge-patch+json');
    for (const [name, ms] of await Promise.all(
      sides.map(async ([name, peer]) => [name, await until(peer, last, String(port), sentMs)] as const),
    ))
      took.get(name)?.push(ms);
    await delay(1_500); // kube-proxy gathers changes for a second
  }
  // One more Service.
  for (let i = 0; i < ROUNDS; i++) {
    const [service, slice] = object(COUNT + i, server, 8090);
    const base = `/api/v1/namespaces/${NAMESPACE}/services`;
    const { sentMs, body } = await m.send('POST', base, JSON.stringify(service), 'application/json');
    const address = (JSON.parse(body) as { spec: { clusterIP: string } }).spec.clusterIP;
    await m.send(
      'POST',
      `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`,
      JSON.stringify(slice),
      'application/json',
    );
    for (const [name, ms] of await Promise.all(
      sides.map(async ([name, peer]) => [name, await until(peer, address, '8090', sentMs)] as const),
    ))
      fresh.get(name)?.push(ms);
    await delay(1_500);
  }
  for (const [name] of sides) row(`${name}: endpoint changed until packets follow`, took.get(name) ?? []);
  for (const [name] of sides) row(`${name}: Service created until it is served`, fresh.get(name) ?? []);
} finally {
  if (kubeProxy?.exitCode === null) {
    const gone = new Promise((r) => kubeProxy?.once('exit', r));
    kubeProxy.kill('SIGKILL');
    await gone;
  }
  await beside?.close();
  await m.close();
}

function startKubeProxy(machine: Machine, kubeconfig: string): ReturnType<typeof spawn> {
  const file = `/tmp/kube-proxy-${process.pid}.yaml`;
  writeFileSync(file, kubeconfig, { mode: 0o600 });
  const args = [
    `--kubeconfig=${file}`,
    '--proxy-mode=nftables',
    '--cluster-cidr=10.215.0.0/16',
    '--conntrack-max-per-core=0',
  ];
  const enter = [`--net=/run/netns/${machine.namespace}`, KUBE_PROXY, '--hostname-override=beside', ...args];
  return spawn('nsenter', enter, { stdio: 'ignore' });
}
