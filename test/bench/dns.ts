/**
 * What the cluster's DNS costs a node: `node test/bench/dns.ts [SERVICES]` fills a server with SERVICES Services of 3 endpoints each (default 5,000; a third of them
 * headless), asks it over UDP one by one and 64 at a time, and prints latencies, queries per second, processor time a query, and memory with and without the names.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { machineEnv } from '../../node-agent/env.ts';
import { createFeed } from '../../node-agent/feed/feed.ts';
import type { ServiceRow, SliceRow } from '../../node-agent/feed/rows.ts';
import { createForwarder } from '../../node-agent/network/dns/forward.ts';
import { TYPE } from '../../node-agent/network/dns/message.ts';
import { serveDns } from '../../node-agent/network/dns/server.ts';
import { feedView } from '../../node-agent/network/dns/view.ts';
import { writeQuestion } from '../../node-agent/network/dns/write.ts';
import { optionsOf } from '../options.ts';

const HELP = `npm run bench:dns -- [SERVICES]

What the cluster's DNS costs a node: latency, queries per second, memory (default 5,000 Services of 3 endpoints).`;
const QUERIES = 20_000;
const AT_ONCE = 64;
const MIB = 1 << 20;

interface Told {
  port: number;
  emptyMiB: number;
  fullMiB: number;
}

async function serve(count: number): Promise<void> {
  const env = machineEnv(() => undefined);
  const services = createFeed<ServiceRow>(env);
  const slices = createFeed<SliceRow>(env, { group: (s) => s.service });
  const namespaces = createFeed<true>(env);
  const rss = () => {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    return process.memoryUsage().rss / MIB;
  };
  const view = feedView(
    { services, slices, namespaces },
    { domain: 'cluster.local', addresses: ['10.96.0.10'], now: env.now },
  );
  const forward = createForwarder(() => [], env);
  const server = await serveDns({ view, forward, env }, '127.0.0.1', 0);
  const emptyMiB = rss();
  fill(count, { services, slices, namespaces });
  process.send?.({ port: server.port, emptyMiB, fullMiB: rss() } satisfies Told);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1000);
  });
}

function fill(
  count: number,
  to: {
    services: { replace(m: Map<string, ServiceRow>): void };
    slices: { replace(m: Map<string, SliceRow>): void };
    namespaces: { replace(m: Map<string, true>): void };
  },
): void {
  const all = new Map<string, ServiceRow>();
  const ends = new Map<string, SliceRow>();
  const names = new Map<string, true>();
  const ports = [{ name: 'http', protocol: 'TCP', port: 80 }];
  for (let i = 0; i < count; i++) {
    const [namespace, name] = [`ns-${i % 100}`, `service-${i}`];
    names.set(namespace, true);
    const clusterIPs = [i % 3 === 0 ? 'None' : `10.96.${i >> 8}.${i & 255}`];
    const none = { externalIPs: [], loadBalancerIPs: [], sourceRanges: [], affinitySeconds: 0, healthCheckNodePort: 0 };
    const flags = { externalLocal: false, internalLocal: false, publishNotReady: false, proxied: true };
    const rest = {
      type: 'ClusterIP',
      externalName: '',
      ...none,
      ...flags,
      ports: ports.map((p) => ({ ...p, nodePort: 0 })),
    };
    all.set(`${namespace}/${name}`, { namespace, name, clusterIPs, ...rest } as ServiceRow);
    const endpoints = [0, 1, 2].map((n) => ({
      addresses: [`10.244.${i >> 8}.${(i + n) & 255}`],
      ready: true,
      serving: true,
      terminating: false,
      hostname: '',
      node: `node-${i % 50}`,
      zone: '',
      zoneHints: [],
      nodeHints: [],
    }));
    ends.set(`${namespace}/${name}-x`, { service: `${namespace}/${name}`, family: 'IPv4', ports, endpoints });
  }
  to.services.replace(all);
  to.slices.replace(ends);
  to.namespaces.replace(names);
}

/** Asks `total` questions, `atOnce` under way; milliseconds of each. */
async function load(
  port: number,
  total: number,
  atOnce: number,
  nameOf: (i: number) => [string, number],
): Promise<number[]> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const began = new Float64Array(0x10000);
  const times: number[] = [];
  let next = 0;
  return new Promise((resolve) => {
    const ask = () => {
      const id = next++ & 0xffff;
      const [name, type] = nameOf(next);
      const query = writeQuestion(id, name, type);
      began[id] = performance.now();
      socket.send(query);
    };
    socket.on('message', (answer) => {
      times.push(performance.now() - (began[answer.readUInt16BE(0)] ?? 0));
      if (next < total) ask();
      else if (times.length === total) {
        socket.close();
        resolve(times.sort((a, b) => a - b));
      }
    });
    for (let i = 0; i < atOnce; i++) ask();
  });
}

const cpuOf = async (child: ChildProcess): Promise<number> => {
  child.send('cpu');
  const [ms] = (await once(child, 'message')) as [number];
  return ms;
};

async function main(count: number): Promise<void> {
  const child = fork(import.meta.filename, ['--serve', String(count)], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
  });
  const [told] = (await once(child, 'message')) as [Told];
  const cases: [what: string, nameOf: (i: number) => [string, number]][] = [
    [
      'A of a Service',
      (i) => [`service-${(i * 3 + 1) % count}.ns-${((i * 3 + 1) % count) % 100}.svc.cluster.local`, TYPE.A],
    ],
    [
      'A of a headless Service',
      (i) => [
        `service-${(i * 3) % (count - (count % 3))}.ns-${((i * 3) % (count - (count % 3))) % 100}.svc.cluster.local`,
        TYPE.A,
      ],
    ],
    ['no such name', (i) => [`nobody-${i}.ns-1.svc.cluster.local`, TYPE.A]],
  ];
  const p = (times: number[], part: number) => (times[Math.floor(times.length * part)] ?? 0).toFixed(3);
  console.log(`${count} Services: ${told.fullMiB.toFixed(0)} MiB, ${told.emptyMiB.toFixed(0)} without them`);
  for (const [what, nameOf] of cases) {
    await load(told.port, QUERIES / 4, 1, nameOf);
    const single = await load(told.port, QUERIES / 4, 1, nameOf);
    const [began, before] = [performance.now(), await cpuOf(child)];
    const many = await load(told.port, QUERIES, AT_ONCE, nameOf);
    const [ms, cpu] = [performance.now() - began, (await cpuOf(child)) - before];
    console.log(
      `${what}: p50 ${p(single, 0.5)} ms, p99 ${p(single, 0.99)} ms one by one; ${AT_ONCE} at once ${Math.round((QUERIES / ms) * 1000)}/s, p99 ${p(many, 0.99)} ms, ${((cpu / QUERIES) * 1000).toFixed(0)} us of processor each`,
    );
  }
  child.kill();
}

if (process.argv[2] === '--serve') await serve(Number(process.argv[3]));
else {
  const { positionals } = optionsOf(HELP, {});
  await main(Number(positionals[0] ?? 5_000));
}
