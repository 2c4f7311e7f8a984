import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { type Registry, startRegistry } from '../../node-agent/runtime/testing/registry.ts';
import { freePort } from '../ports.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const launcher = join(root, 'coracle');
/** The image of the tests' pods, pulled from a registry in this process. */
export const BUSYBOX = 'registry.test/busybox:1';

/** A whole Coracle on this machine, apart from any other: own home, ports, bridge, containerd. */
export interface System {
  home: string;
  kubeconfig: string;
  url: string;
  token: string;
  ca: string;
  registry: Registry;
  coracle(...args: string[]): Promise<{ stdout: string; stderr: string }>;
  kubectl(...args: string[]): Promise<string>;
  /** kubectl with an input; gives its output and exit code. */
  kubectlWith(input: Buffer | string, ...args: string[]): Promise<{ stdout: Buffer; stderr: string; code: number }>;
  /** Starts what is missing, with the options of the first time. */
  up(): Promise<{ stdout: string; stderr: string }>;
  /** Ends control plane and agent and starts them again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** kubectl of this release: $KUBECTL, the PATH, or what ../shared/conformance builds; null when there is none and none can be built. */
export async function findKubectl(): Promise<string | null> {
  const own = process.env.KUBECTL;
  if (own) return own;
  const built = join(process.env.WORK ?? join(homedir(), '.cache/conformance'), 'bin/kubectl');
  if (existsSync(built)) return built;
  const script = process.env.CORACLE_SHARED
    ? join(process.env.CORACLE_SHARED, 'conformance/build.sh')
    : join(root, '../shared/conformance/build.sh');
  if (existsSync(script)) {
    console.error('building kubectl (once, some minutes)');
    await run(script, ['kubectl'], { maxBuffer: 1 << 26 });
    return built;
  }
  return (await run('which', ['kubectl']).catch(() => null))?.stdout.trim() || null;
}

/** Starts a system with `./coracle up`. `subnet`: third byte of its pods' 10.214.x.0/24; give each test file another. `host`: where control plane and registry listen; `home`: an own folder, which goes with the system; `up`: further options. */
export async function startSystem(
  subnet: number,
  o: {
    node?: boolean;
    debug?: boolean;
    host?: string;
    home?: string;
    mirrors?: readonly string[];
    up?: readonly string[];
  } = {},
): Promise<System> {
  const kubectl = await findKubectl();
  if (kubectl === null) throw new Error('no kubectl here, and nothing to build it with');
  const home = o.home ?? (await mkdtemp(join(tmpdir(), 'coracle-')));
  const registry = await startRegistry(o.host);
  const port = await freePort();
  const env = {
    ...process.env,
    CORACLE_HOME: join(home, 'state'),
    HOME: home,
    PATH: process.env.PATH,
    ...(o.debug ? { CORACLE_DEBUG: '1' } : {}),
  };
  const coracle = (...args: string[]) => run(launcher, args, { env, maxBuffer: 1 << 26 });
  const kubeconfig = join(home, 'state', 'kubeconfig');
  const network = [
    '--bridge',
    `cor${process.pid % 100000}-${subnet}`,
    '--pod-cidr',
    `10.214.${subnet}.0/24`,
    '--run-dir',
    join(home, 'run'),
    '--node-name',
    `node-${subnet}`,
    // Tests run beside others on this machine, whose Services have the same addresses; startMachine gives a node a network of its own.
    '--no-services',
  ];
  const close = async () => {
    await coracle('down').catch((e: unknown) => console.error(String(e)));
    await registry.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    if (o.node !== false) registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
    const up = () =>
      coracle(
        'up',
        '--port',
        String(port),
        ...(o.host === undefined ? [] : ['--listen', o.host]),
        '--no-kubectl',
        '--mirror',
        `registry.test=${registry.url}`,
        ...(o.mirrors ?? []).flatMap((host) => ['--mirror', `${host}=${registry.url}`]),
        ...network,
        ...(o.up ?? []),
        ...(o.node === false ? ['--no-node'] : []),
      );
    await up();
    const remembered = JSON.parse(await readFile(join(home, 'state/clusters/default.json'), 'utf8')) as {
      url: string;
      adminToken: string;
    };
    const kube = { ...env, KUBECONFIG: kubeconfig };
    return {
      home,
      kubeconfig,
      url: remembered.url,
      token: remembered.adminToken,
      ca: await readFile(join(home, 'state/tls/ca.crt'), 'utf8'),
      registry,
      coracle,
      kubectl: async (...args) => (await run(kubectl, args, { env: kube, maxBuffer: 1 << 28 })).stdout,
      kubectlWith: (input, ...args) => withInput(kubectl, args, kube, input),
      up,
      restart: async () => {
        await coracle('down', '--keep-pods');
        await up();
      },
      close,
    };
  } catch (e) {
    for (const log of ['server.log', 'node/agent.log'])
      console.error(await readFile(join(home, 'state', log), 'utf8').catch(() => ''));
    await close();
    throw e;
  }
}

function withInput(
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  input: Buffer | string,
): Promise<{ stdout: Buffer; stderr: string; code: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (b: Buffer) => out.push(b));
    child.stderr.on('data', (b: Buffer) => {
      stderr += b;
    });
    child.stdin.on('error', () => undefined); // a command that doesn't read its input closes it
    child.on('error', reject);
    child.on('close', (code) => resolve({ stdout: Buffer.concat(out), stderr, code: code ?? -1 }));
    child.stdin.end(input);
  });
}
