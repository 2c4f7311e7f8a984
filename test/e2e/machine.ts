import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
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
  /** Runs a program there. */
  exec(command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }>;
  close(): Promise<void>;
}

/** Starts machine n of a cable, with pods in 10.215.(n).0/24, and waits until it is ready. */
export async function startMachine(s: System, cable: Cable, n: number): Promise<Machine> {
  const id = `${cable.bridge}-${n}`;
  const name = `machine-${n}`;
  const state = join(s.home, name);
  const log = join(s.home, `${name}.log`);
  const veth = `corv${process.pid % 100_000}-${n}`;
  const inside = (...command: string[]) => ['nsenter', [`--net=/run/netns/${id}`, ...command]] as const;
  const exec = (command: string, ...args: string[]) => run(...inside(command, ...args), { maxBuffer: 1 << 26 });
  const settings = join(state, 'agent.json');
  let agent: ChildProcess | undefined;
  const close = async () => {
    if (agent) await end(agent);
    await exec(...(node as [string, string]), join(root, 'node-agent/remove.ts'), settings).catch((e) =>
      console.error(String(e)),
    );
    await run('ip', ['netns', 'delete', id]);
  };
  await mkdir(state, { recursive: true });
  await run('ip', ['netns', 'add', id]);
  try {
    await run('ip', ['link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', id]);
    await run('ip', ['link', 'set', veth, 'master', cable.bridge, 'up']);
    await exec('ip', 'link', 'set', 'lo', 'up');
    await exec('ip', 'address', 'add', `${cable.address(n)}/24`, 'dev', 'eth0');
    await exec('ip', 'link', 'set', 'eth0', 'up');
    await exec('ip', 'route', 'add', 'default', 'via', cable.host);
    const { url, token } = JSON.parse((await s.coracle('join', 'default', name)).stdout) as Record<string, string>;
    await writeFile(join(state, 'token'), token ?? '');
    await writeFile(join(state, 'ca.crt'), s.ca);
    await writeFile(join(state, 'resolv.conf'), '');
    await writeFile(
      settings,
      JSON.stringify({
        url,
        caFile: join(state, 'ca.crt'),
        tokenFile: join(state, 'token'),
        node: name,
        stateDir: state,
        runDir: join(state, 'run'),
        logDir: join(state, 'logs'),
        addresses: [cable.address(n)],
        podCIDRs: [`10.215.${n}.0/24`],
        resolvConf: join(state, 'resolv.conf'),
        mirrors: { 'registry.test': [s.registry.url] },
      }),
    );
    const out = openSync(log, 'a', 0o600);
    const [command, args] = inside(...node, join(root, 'node-agent/main.ts'), settings);
    agent = spawn(command, args, { stdio: ['ignore', out, out] });
    const timeout = `--timeout=${READY_MS_MAX / 1000}s`;
    await s.kubectl('wait', '--for=create', `node/${name}`, timeout);
    await s.kubectl('wait', '--for=condition=Ready', `node/${name}`, timeout);
    return { name, log, exec, close };
  } catch (e) {
    console.error(await readFile(log, 'utf8').catch(() => ''));
    await close();
    throw e;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = new Promise((r) => child.once('exit', r));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await over;
  clearTimeout(timer);
}
