import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  ip,
  type Machine,
  type Peer,
  startMachine,
  startPeer,
} from '../../node-agent/network/proxy/testing/machine.ts';
import { freePort } from '../ports.ts';
import { findKubectl } from './system.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
const READY_MS_MAX = 120_000;
const STOP_MS_MAX = 20_000;

/** A node in a network namespace of its own: agent, containerd, pod network. */
export interface NodeMachine extends Peer {
  name: string;
  address: string;
  podCIDR: string;
  startAgent(): void;
  /** With a signal, and waits for its end; pods run on. */
  stopAgent(): Promise<void>;
  /** A peer inside of a pod, by the pod's address. */
  inPod(ip: string): Promise<Peer>;
  log(): Promise<string>;
  /** Takes the packet filter's tables away, as after a reboot. */
  flush(): Promise<void>;
}

/** Several machines and a control plane, each in a network namespace of its own. */
export interface Machines {
  nodes: NodeMachine[];
  /** Where the control plane runs; routes between the machines' subnets, is no node. */
  outside: Machine;
  outsideAddress(n: number): string;
  kubectl(...args: string[]): Promise<string>;
  apply(text: string): Promise<void>;
  /** One request to the API, as the cluster's admin; `sentMs`: when it went out, by this machine's clock. */
  send(method: string, path: string, body: string, contentType: string): Promise<{ sentMs: number; body: string }>;
  close(): Promise<void>;
}

/** `subnets[i]`: the number of node i's subnet; machines in one subnet are on one bridge. */
export async function startMachines(subnets: readonly number[]): Promise<Machines> {
  const kubectl = await findKubectl();
  if (kubectl === null) throw new Error('no kubectl here, and nothing to build it with');
  const dir = await mkdtemp(join(tmpdir(), 'cor-'));
  const tag = `cor${process.pid % 100_000}`;
  const machines: Machine[] = [];
  const nodes: (NodeMachine & { remove(): Promise<void> })[] = [];
  const env = { ...process.env, CORACLE_HOME: join(dir, 'home'), HOME: dir };
  const kube = { ...env, KUBECONFIG: join(dir, 'home', 'kubeconfig') };
  const inside = (m: Machine, command: readonly string[], e: NodeJS.ProcessEnv = env) =>
    run('nsenter', [`--net=/run/netns/${m.namespace}`, ...command], { env: e, maxBuffer: 1 << 28 });

  const close = async () => {
    const step = (f: () => Promise<unknown>) => f().catch((e: unknown) => console.error(`machines: ${String(e)}`));
    for (const n of nodes) await step(() => n.remove());
    const [outside] = machines;
    if (outside) await step(() => inside(outside, [...node, join(root, 'cli/main.ts'), 'down']));
    for (const m of machines) await step(() => m.close());
    await step(() => rm(dir, { recursive: true, force: true }));
  };
  try {
    const outside = await startMachine(`${tag}-out`);
    machines.push(outside);
    await outside.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    const gateway = (subnet: number) => `10.77.${subnet}.1`;
    for (const s of new Set(subnets)) {
      await ip(`-n ${outside.namespace} link add br${s} type bridge`);
      await ip(`-n ${outside.namespace} address add ${gateway(s)}/24 dev br${s}`);
      await ip(`-n ${outside.namespace} link set br${s} up`);
    }
    for (const [i, s] of subnets.entries()) {
      const m = await startMachine(`${tag}-${i}`);
      machines.push(m);
      await ip(`-n ${outside.namespace} link add to${i} type veth peer name eth0 netns ${m.namespace}`);
      await ip(`-n ${outside.namespace} link set to${i} master br${s} up`);
      await ip(`-n ${m.namespace} address add 10.77.${s}.${10 + i}/24 dev eth0`);
      await ip(`-n ${m.namespace} link set eth0 up`);
      await ip(`-n ${m.namespace} route add default via ${gateway(s)}`);
    }
    const host = gateway(subnets[0] ?? 0);
    const cli = (...args: string[]) => inside(outside, [...node, join(root, 'cli/main.ts'), ...args]);
    await cli('up', '--no-node', '--no-kubectl', '--listen', host, '--port', String(await freePort()));
    const ask = async (...args: string[]) => (await inside(outside, [kubectl, ...args], kube)).stdout;
    for (const [i, s] of subnets.entries()) {
      const made = await makeNode(machines[i + 1] as Machine, {
        name: `machine-${i}`,
        address: `10.77.${s}.${10 + i}`,
        // The last one is given its range by the cluster.
        podCIDR: i === subnets.length - 1 && i > 0 ? '' : `10.215.${i}.0/24`,
        dir: join(dir, `n${i}`),
        credential: JSON.parse((await cli('join', 'default', `machine-${i}`)).stdout) as { url: string; token: string },
        caFile: join(dir, 'home/tls/ca.crt'),
        bridge: `${tag}-${i}`,
      });
      nodes.push(made);
      made.startAgent();
    }
    const end = Date.now() + READY_MS_MAX;
    for (const n of nodes) {
      const ready = () =>
        ask('get', 'node', n.name, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}').catch(() => '');
      while ((await ready()) !== 'True') {
        if (Date.now() > end) throw new Error(`node ${n.name} isn't ready:\n${await n.log()}`);
        await delay(200);
      }
    }
    return {
      nodes,
      outside,
      outsideAddress: (n) => gateway(subnets[n] ?? 0),
      kubectl: ask,
      async apply(text) {
        const file = join(dir, 'apply.yaml');
        await writeFile(file, text);
        await ask('apply', '-f', file);
      },
      async send(method, path, body, contentType) {
        const known = JSON.parse(await readFile(join(dir, 'home/clusters/default.json'), 'utf8')) as {
          adminToken: string;
        };
        const { url } = JSON.parse(await readFile(join(dir, 'n0/agent.json'), 'utf8')) as { url: string };
        const ca = await readFile(join(dir, 'home/tls/ca.crt'), 'utf8');
        const headers = { authorization: `Bearer ${known.adminToken}`, 'content-type': contentType };
        const question = { what: 'send', url: url + path, method, headers, ca, body };
        return (await outside.ask(question)) as { sentMs: number; body: string };
      },
      close,
    };
  } catch (e) {
    await close();
    throw e;
  }
}

interface NodeOptions {
  name: string;
  address: string;
  podCIDR: string;
  dir: string;
  credential: { url: string; token: string };
  caFile: string;
  bridge: string;
}

async function makeNode(m: Machine, o: NodeOptions): Promise<NodeMachine & { remove(): Promise<void> }> {
  await mkdir(o.dir, { recursive: true });
  const [settings, tokenFile, log] = ['agent.json', 'token', 'agent.log'].map((f) => join(o.dir, f)) as [
    string,
    string,
    string,
  ];
  await writeFile(tokenFile, o.credential.token);
  await writeFile(
    settings,
    JSON.stringify({
      url: o.credential.url,
      caFile: o.caFile,
      tokenFile,
      node: o.name,
      stateDir: join(o.dir, 's'),
      runDir: join(o.dir, 'r'),
      logDir: join(o.dir, 'logs'),
      addresses: [o.address],
      ...(o.podCIDR ? { podCIDRs: [o.podCIDR] } : {}),
      bridge: o.bridge,
    }),
  );
  const enter = ['nsenter', `--net=/run/netns/${m.namespace}`, ...node];
  let agent: ChildProcess | undefined;
  const peers = new Map<string, Peer>();
  const stopAgent = async () => {
    if (!agent || agent.exitCode !== null) return;
    const gone = new Promise((r) => agent?.once('exit', r));
    agent.kill('SIGTERM');
    await Promise.race([gone, delay(STOP_MS_MAX, null, { ref: false })]);
    agent.kill('SIGKILL');
    agent = undefined;
  };
  return {
    name: o.name,
    address: o.address,
    podCIDR: o.podCIDR,
    ask: (question) => m.ask(question),
    close: () => m.close(),
    flush: async () => {
      await m.run('nft', 'flush', 'ruleset');
    },
    log: () => readFile(log, 'utf8').catch(() => ''),
    startAgent() {
      const out = openSync(log, 'a');
      const [program = '', ...args] = [...enter, join(root, 'node-agent/main.ts'), settings];
      agent = spawn(program, args, { stdio: ['ignore', out, out] });
    },
    stopAgent,
    async inPod(address) {
      const known = peers.get(address);
      if (known) return known;
      const path = await namespaceOf(join(o.dir, 'r'), address);
      const peer = startPeer(path);
      peers.set(address, peer);
      return peer;
    },
    async remove() {
      for (const p of peers.values()) await p.close();
      await stopAgent();
      const [program = '', ...args] = [...enter, join(root, 'node-agent/remove.ts'), settings];
      await run(program, args);
    },
  };
}

/** The network namespace of the pod that has an address. */
async function namespaceOf(runDir: string, address: string): Promise<string> {
  const found: string[] = [];
  for (const entry of await readdir(runDir, { recursive: true }))
    if (/\/cni-[0-9a-f-]+$/.test(entry)) found.push(join(runDir, entry));
  for (const path of found) {
    const text = await run('nsenter', [`--net=${path}`, 'ip', '-o', 'address']).then(
      (r) => r.stdout,
      () => '', // a pod that has just gone
    );
    if (text.includes(` ${address}/`)) return path;
  }
  throw new Error(`no pod here has ${address}`);
}
