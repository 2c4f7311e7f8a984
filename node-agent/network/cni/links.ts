import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { type OwnAddress, type Placed, type RoutePlan, routeCommands, VXLAN_OVERHEAD, VXLAN_PORT } from './routes.ts';

const run = promisify(execFile);
/** IFNAMSIZ less its zero. */
const DEVICE_CHARS_MAX = 15;
/** A port on which nobody listens: the machine itself says so. */
const DISCARD_PORT = 9;
/** Time for the first packet and its first repetition. */
const ANSWER_MS_MAX = 3_000;

/** The VXLAN device of an agent with this network. */
export const vxlanDevice = (network: string): string => `${network.slice(0, DEVICE_CHARS_MAX - 2)}-x`;

/** Ways to other nodes' pods in this machine's kernel. Tests have others. */
export interface Links {
  own(): readonly OwnAddress[];
  /** Makes the kernel's routes as planned; only what is ours is changed. Throws why it couldn't. */
  place(plan: RoutePlan): Promise<void>;
  /** Whether a machine with that address answers, be it with a refusal. */
  answers(address: string): Promise<boolean>;
}

/** Through `ip` and `bridge`; what was placed is remembered at `file`, so that the next agent takes away what is over. */
export function kernelLinks(device: string, file: string): Links {
  let placed: Placed | undefined;
  let madeFor: string | undefined;
  return {
    own: () =>
      Object.values(networkInterfaces())
        .flatMap((all) => all ?? [])
        .filter((a) => !a.internal && a.cidr !== null && !hostOnly(a.cidr))
        .map((a) => ({ address: a.address, cidr: a.cidr as string })),
    async place(plan) {
      placed ??= await remembered(file);
      const wraps = plan.wrapped.length > 0 && !plan.problem;
      const wanted = wraps ? `${plan.vni} ${plan.local} ${plan.vteps}` : '';
      if (wraps && madeFor !== wanted) {
        // Made anew, it has none of its neighbours.
        if (await makeDevice(device, plan)) placed.peers = {};
        madeFor = wanted;
      }
      const { ip, bridge, after } = routeCommands(plan, placed, device);
      // A device that is gone took with it what was on it.
      if (ip.length > 0) await batch('ip', ip);
      if (bridge.length > 0) await batch('bridge', bridge);
      if (!wraps && madeFor) {
        await run('ip', ['link', 'delete', device]).catch(() => undefined); // gone already
        madeFor = undefined;
      }
      placed = after;
      if (ip.length + bridge.length > 0) await remember(file, after);
    },
    answers: (address) =>
      new Promise((resolve) => {
        const socket = connect({ host: address, port: DISCARD_PORT, timeout: ANSWER_MS_MAX });
        const is = (there: boolean) => {
          socket.destroy();
          resolve(there);
        };
        socket.once('connect', () => is(true));
        socket.once('timeout', () => is(false));
        socket.once('error', (e: NodeJS.ErrnoException) => is(e.code === 'ECONNREFUSED'));
      }),
  };
}

/** Addresses of single pods and Services (/32, /128) make no neighbours. */
const hostOnly = (cidr: string): boolean =>
  cidr.endsWith(cidr.includes(':') ? '/128' : '/32') || cidr.startsWith('fe80:');

async function remembered(file: string): Promise<Placed> {
  const text = await readFile(file, 'utf8').catch(() => null); // the first agent here
  return text === null ? { routes: {}, peers: {} } : (JSON.parse(text) as Placed);
}
async function remember(file: string, placed: Placed): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(placed));
  await rename(`${file}.new`, file);
}

/** The VXLAN device as planned; true if it wasn't there, or was another. */
async function makeDevice(device: string, plan: RoutePlan): Promise<boolean> {
  const mtu = (await mtuOf(plan.local)) - VXLAN_OVERHEAD[plan.local.includes(':') ? 'ip6' : 'ip'];
  const there = await run('ip', ['-d', '-j', 'link', 'show', device]).then(
    (r) => (JSON.parse(r.stdout) as { linkinfo?: { info_data?: Record<string, unknown> } }[])[0]?.linkinfo?.info_data,
    () => undefined,
  );
  const same = there?.id === plan.vni && (there.local === plan.local || there.local6 === plan.local);
  if (there && !same) await run('ip', ['link', 'delete', device]);
  if (!same) {
    const about = `id ${plan.vni} local ${plan.local} dstport ${VXLAN_PORT} nolearning`.split(' ');
    await run('ip', ['link', 'add', device, 'address', plan.mac, 'mtu', String(mtu), 'type', 'vxlan', ...about]);
  }
  for (const a of plan.vteps)
    await run('ip', ['address', 'replace', `${a}/${a.includes(':') ? 128 : 32}`, 'dev', device]);
  await run('ip', ['link', 'set', device, 'up']);
  return !same;
}

/** Of the interface that has an address. */
async function mtuOf(address: string): Promise<number> {
  const { stdout } = await run('ip', ['-j', 'address', 'show', 'to', address]);
  const [link] = (JSON.parse(stdout) as { mtu?: number }[]).filter((l) => l.mtu !== undefined);
  return link?.mtu ?? 1500;
}

/** All lines in one process; a line that fails doesn't stop the others, and the first complaint is thrown. */
function batch(program: string, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-force', '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (t: string) => (complaint += t));
    child.stdin.on('error', () => undefined); // its exit says why
    child.on('error', reject);
    child.on('close', () => {
      // What was to be deleted and isn't there is as wanted.
      const real = complaint
        .split('\n')
        .filter((l) => l !== '' && !/^Command failed|No such process|No such file|Cannot find device/.test(l));
      if (real.length === 0) resolve();
      else reject(new Error(`${program}: ${real[0]}`));
    });
    child.stdin.end(`${lines.join('\n')}\n`);
  });
}

/** Takes away all that an agent with this device and file has placed. */
export async function removeLinks(device: string, file: string): Promise<void> {
  const placed = await remembered(file);
  const none = { direct: [], wrapped: [], vteps: [], mac: '', local: '', vni: 0 };
  const { ip } = routeCommands(none, placed, device);
  if (ip.length > 0) await batch('ip', ip).catch(() => undefined); // others' now, or gone
  await run('ip', ['link', 'delete', device]).catch(() => undefined); // never made
}
