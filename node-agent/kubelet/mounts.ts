import { appendFile, chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Env } from '../../kube/meta/env.ts';
import type { Mount } from '../runtime/messages.ts';
import { expandVariables } from './container.ts';
import { ConfigError } from './env.ts';
import { hostsText } from './hosts.ts';
import { type Container, type Pod, uidOf } from './pod.ts';
import { refuseBacksteps } from './volumes/hostpath.ts';
import type { Mounted } from './volumes/kind.ts';
import type { Mounter } from './volumes/mounter.ts';
import { bindSubPath, makeSubPath, podDirectory } from './volumes/subpath.ts';

/** What a container's mounts are made of. */
export interface MountInputs {
  root: string;
  attempt: number;
  envs: readonly { key: string; value: string }[];
  podIPs: readonly string[];
  /** The cluster's DNS domain. */
  domain: string;
  mounter: Mounter;
  /** The runtime makes what lies below a read-only mount read-only too. */
  recursiveReadOnly: boolean;
  /** Volumes that are ready. */
  volumes: { get(name: string): Mounted | undefined };
  log: Env['log'];
}

type VolumeMount = NonNullable<Container['volumeMounts']>[number];

const PROPAGATION = {
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  None: 'PROPAGATION_PRIVATE',
} as const;
const HOSTS = '/etc/hosts';

/** Where a run of a container leaves its termination message. */
export function messageFile(root: string, pod: Pod, container: string, attempt: number): string {
  return join(root, 'pods', uidOf(pod), 'containers', container, `${attempt}`);
}

/** The mounts of one run: its volumes, /etc/hosts, the termination message. */
export async function containerMounts(pod: Pod, c: Container, o: MountInputs): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const [index, m] of (c.volumeMounts ?? []).entries()) mounts.push(await volumeMount(pod, c, m, index, o));
  const hosts = o.podIPs.length > 0 || pod.spec.hostNetwork === true;
  if (hosts && !mounts.some((m) => m.containerPath === HOSTS)) {
    mounts.push({ containerPath: HOSTS, hostPath: await hostsFile(pod, o), readonly: false });
  }
  const message = messageFile(o.root, pod, c.name, o.attempt);
  await mkdir(dirname(message), { recursive: true });
  await appendFile(message, '');
  await chmod(message, 0o666); // whoever the container runs as, whatever the umask is
  mounts.push({
    containerPath: c.terminationMessagePath ?? '/dev/termination-log',
    hostPath: message,
    readonly: false,
  });
  return mounts;
}

async function volumeMount(pod: Pod, c: Container, m: VolumeMount, index: number, o: MountInputs): Promise<Mount> {
  const volume = o.volumes.get(m.name);
  if (!volume)
    throw new ConfigError(
      `cannot find volume ${JSON.stringify(m.name)} to mount into container ${JSON.stringify(c.name)}`,
    );
  const sub = subPathOf(m, o.envs);
  const hostPath = sub === '' ? volume.path : await subPath(pod, c, m, { volume: volume.path, sub, index }, o);
  const recursive = recursiveReadOnly(m, o.recursiveReadOnly);
  return {
    containerPath: m.mountPath.startsWith('/') ? m.mountPath : `/${m.mountPath}`,
    hostPath,
    readonly: (m.readOnly ?? false) || volume.readonly,
    ...(recursive ? { recursiveReadOnly: true } : {}),
    propagation: PROPAGATION[(m.mountPropagation ?? 'None') as keyof typeof PROPAGATION],
  };
}

/** The part of its volume that a container mounts; '' for all of it. Throws where it may lead out of the volume. */
export function subPathOf(
  m: Pick<VolumeMount, 'subPath' | 'subPathExpr'>,
  envs: readonly { key: string; value: string }[],
): string {
  const sub = m.subPathExpr ? expandExpr(m.subPathExpr, envs) : (m.subPath ?? '');
  if (sub.startsWith('/')) throw new ConfigError(`error SubPath \`${sub}\` must not be an absolute path`);
  try {
    refuseBacksteps(sub, (why) => `unable to provision SubPath \`${sub}\`: ${why}`);
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
  return sub;
}

/** subPathExpr knows only variables that have a value. */
function expandExpr(text: string, envs: readonly { key: string; value: string }[]): string {
  const values = new Map(envs.map((e) => [e.key, e.value]));
  const missing = new Set<string>();
  for (const [, one, name] of text.matchAll(/\$(\$|\(([^()]*)\))/g))
    if (one !== '$' && !values.get(name ?? '')) missing.add(name ?? '');
  if (missing.size > 0) throw new ConfigError(`missing value for ${[...missing].sort().join(', ')}`);
  return expandVariables(text, envs);
}

/** What went wrong stays in the log: it may say something about the machine. */
async function subPath(
  pod: Pod,
  c: Container,
  m: VolumeMount,
  at: { volume: string; sub: string; index: number },
  o: MountInputs,
): Promise<string> {
  const hide = (what: string) => (error: unknown) => {
    o.log('warn', 'subpath.failed', {
      pod: pod.metadata.name,
      container: c.name,
      volume: m.name,
      error: String(error),
    });
    throw new ConfigError(
      `failed to ${what} for volumeMount ${JSON.stringify(m.name)} of container ${JSON.stringify(c.name)}`,
    );
  };
  const there = await stat(join(at.volume, at.sub)).catch(() => null);
  if (!there) await makeSubPath(at.volume, at.sub).catch(hide('create subPath directory'));
  const place = { volumePath: at.volume, subPath: at.sub, volume: m.name, container: c.name, index: at.index };
  const bound = bindSubPath({ ...place, podDir: podDirectory(o.root, pod) }, o.mounter);
  return bound.catch(hide('prepare subPath')) as Promise<string>;
}

function recursiveReadOnly(m: VolumeMount, supported: boolean): boolean {
  const mode = m.recursiveReadOnly ?? 'Disabled';
  if (mode === 'Disabled') return false;
  const fails = (why: string) =>
    new ConfigError(
      `failed to resolve recursive read-only mode: volume ${JSON.stringify(m.name)} requested recursive read-only mode, but ${why}`,
    );
  if (!m.readOnly) throw fails('it is not read-only');
  if (m.mountPropagation && m.mountPropagation !== 'None')
    throw fails(`it is not compatible with propagation ${JSON.stringify(m.mountPropagation)}`);
  if (mode === 'Enabled' && !supported) throw fails('it is not supported by the runtime');
  return supported;
}

/** The pod's hosts file, written anew. */
async function hostsFile(pod: Pod, o: MountInputs): Promise<string> {
  const path = join(o.root, 'pods', uidOf(pod), 'etc-hosts');
  const machine = pod.spec.hostNetwork ? await readFile(HOSTS, 'utf8') : '';
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, hostsText(pod, o.podIPs, o.domain, machine), { mode: 0o644 });
  return path;
}
