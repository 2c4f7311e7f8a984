import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { System } from './system.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
/** The agent starts a containerd of its own. */
const READY_MS_MAX = 300_000;
const END_MS_MAX = 10_000;

/** A network of its own: machines that are network namespaces, on one cable with this one. */
export interface Cable {
  /** This machine's address on it: where the control plane has to listen. */
  host: string;
  /** Address of machine n, from 2 on. */
  address(n: number): string;
  bridge: string;
  close(): Promise<void>;
}

/** A cable of the range 10.213.x.0/24; give each test file another. */
export async function layCable(x: number): Promise<Cable> {
  const bridge = `corc${process.pid % 100_000}-${x}`;
  const close = () => run('ip', ['link', 'delete', bridge]).then(() => undefined);
  await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  try {
    await run('ip', ['address', 'add', `10.213.${x}.1/24`, 'dev', bridge]);
    await run('ip', ['link', 'set', bridge, 'up']);
  } catch (e) {
    await close();
    throw e;
  }
  return { host: `10.213.${x}.1`, address: (n) => `10.213.${x}.${n}`, bridge, close };
}

/** A node of a system in a network namespace of its own, as a machine has it: own Service addresses, own packet filter. */
export interface Machine {
  name: string;
  log: string;
  /** Its settings' stateDir. */
  state: string;
  /** Runs a program there. */
  exec(command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }>;
  /** Starts one there; who starts it ends it. */
  spawn(...command: string[]): ChildProcess;
  /** The agent's process; 0 when none runs. */
  pid(): number;
  startAgent(): void;
  /** Ends the agent and waits for that; its containerd and pods stay with SIGKILL. */
  endAgent(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Plugs the cable in, or out. */
  plug(up: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface MachineOptions {
  /** In a network of its own behind an address translation that lets nothing in: the machine can only dial out. */
  nat?: boolean;
  /** The folder for its state; else one of the system's. */
  state?: string;
  /** Further settings of the agent. */
  settings?: Record<string, unknown>;
}

/** Starts machine n of a cable, with pods in 10.215.(n).0/24, and waits until it is ready. */
export async function startMachine(s: System, cable: Cable, n: number, o: MachineOptions = {}): Promise<Machine> {
  const id = `${cable.bridge}-${n}`;
  const name = `machine-${n}`;
  const state = o.state ?? join(s.home, name);
  const log = join(s.home, `${name}.log`);
  const inside = (...command: string[]) => ['nsenter', [`--net=/run/netns/${id}`, ...command]] as const;
  const exec = (command: string, ...args: string[]) => run(...inside(command, ...args), { maxBuffer: 1 << 26 });
  const settings = join(s.home, `${name}.json`);
  let agent: ChildProcess | undefined;
  const endAgent = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (agent) await end(agent, signal);
    agent = undefined;
  };
  const startAgent = () => {
    const out = openSync(log, 'a', 0o600);
    const [command, args] = inside(...node, join(root, 'node-agent/main.ts'), settings);
    agent = spawn(command, args, { stdio: ['ignore', out, out] });
    closeSync(out);
  };
  let wired: Wired | undefined;
  const close = async () => {
    await endAgent('SIGTERM');
    await exec(...(node as [string, string]), join(root, 'node-agent/remove.ts'), settings).catch((e) =>
      console.error(String(e)),
    );
    await wired?.close();
    await run('ip', ['netns', 'delete', id]);
  };
  await mkdir(state, { recursive: true });
  await run('ip', ['netns', 'add', id]);
  try {
    wired = await (o.nat ? wireBehindNat : wire)(cable, n, id);
    const { address, plug } = wired;
    const { url, token } = JSON.parse((await s.coracle('join', 'default', name)).stdout) as Record<string, string>;
    const [tokenFile, caFile, resolvConf] = ['token', 'ca.crt', 'resolv.conf'].map((f) => join(s.home, `${name}-${f}`));
    await writeFile(tokenFile ?? '', token ?? '');
    await writeFile(caFile ?? '', s.ca);
    await writeFile(resolvConf ?? '', '');
    const own = {
      ...{ url, caFile, tokenFile, node: name, stateDir: state, addresses: [address] },
      runDir: join(s.home, `${name}-run`),
      logDir: join(state, 'logs'),
      podCIDRs: [`10.215.${n}.0/24`],
      resolvConf,
      mirrors: { 'registry.test': [s.registry.url] },
    };
    await writeFile(settings, JSON.stringify({ ...own, ...o.settings }));
    startAgent();
    const timeout = `--timeout=${READY_MS_MAX / 1000}s`;
    await s.kubectl('wait', '--for=create', `node/${name}`, timeout);
    await s.kubectl('wait', '--for=condition=Ready', `node/${name}`, timeout);
    const pid = () => (agent?.exitCode === null && agent.signalCode === null ? (agent.pid ?? 0) : 0);
    const start = (...command: string[]) => spawn(...inside(...command), { stdio: ['ignore', 'pipe', 'inherit'] });
    return { name, log, state, exec, spawn: start, pid, startAgent, endAgent, plug, close };
  } catch (e) {
    console.error(await readFile(log, 'utf8').catch(() => ''));
    await close();
    throw e;
  }
}

/** A namespace with a way to the control plane. */
interface Wired {
  address: string;
  plug(up: boolean): Promise<void>;
  /** What goes beside the namespace itself. */
  close(): Promise<void>;
}

const ip = (words: string) => run('ip', words.split(' '));

/** Gives the namespace `id` the address n of the cable. */
async function wire(cable: Cable, n: number, id: string): Promise<Wired> {
  const veth = `corv${process.pid % 100_000}-${n}`;
  await ip(`link add ${veth} type veth peer name eth0 netns ${id}`);
  await ip(`link set ${veth} master ${cable.bridge} up`);
  await ip(`-n ${id} link set lo up`);
  await ip(`-n ${id} address add ${cable.address(n)}/24 dev eth0`);
  await ip(`-n ${id} link set eth0 up`);
  await ip(`-n ${id} route add default via ${cable.host}`);
  const plug = async (up: boolean) => {
    await ip(`link set ${veth} ${up ? 'up' : 'down'}`);
  };
  return { address: cable.address(n), plug, close: async () => undefined };
}

/** A home router's rules: what is inside goes out under the router's address, and nothing comes in that nobody inside asked for. */
const NAT_RULES = `table ip home {
  chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
  chain through { type filter hook forward priority filter; policy drop; ct state established,related accept; iifname "home" accept; }
  chain in { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "home" accept; }
}
`;

/** Gives the namespace `id` an address in a network of its own, behind a router that has the cable's address n. */
async function wireBehindNat(cable: Cable, n: number, id: string): Promise<Wired> {
  const router = `${id}-nat`;
  await ip(`netns add ${router}`);
  const close = async () => {
    await ip(`netns delete ${router}`);
  };
  try {
    const { plug } = await wire(cable, n, router);
    await ip(`-n ${router} link add home type veth peer name eth0 netns ${id}`);
    await ip(`-n ${router} address add 192.168.${n}.1/24 dev home`);
    await ip(`-n ${router} link set home up`);
    const rules = join(tmpdir(), `${router}.nft`);
    await writeFile(rules, NAT_RULES);
    await run('nsenter', [`--net=/run/netns/${router}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await run('nsenter', [`--net=/run/netns/${router}`, 'nft', '-f', rules]).finally(() => rm(rules));
    await ip(`-n ${id} link set lo up`);
    await ip(`-n ${id} address add 192.168.${n}.2/24 dev eth0`);
    await ip(`-n ${id} link set eth0 up`);
    await ip(`-n ${id} route add default via 192.168.${n}.1`);
    return { address: `192.168.${n}.2`, plug, close };
  } catch (e) {
    await close();
    throw e;
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((r) => child.once('exit', r));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await over;
  clearTimeout(timer);
}
