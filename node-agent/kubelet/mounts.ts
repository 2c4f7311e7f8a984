import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Mount } from '../runtime/messages.ts';
import { expandVariables, hostnameOf } from './container.ts';
import { ConfigError, type Downward } from './env.ts';
import { type Container, type Pod, uidOf } from './pod.ts';
import { setUpVolume, type VolumeParts } from './volumes.ts';

/** What a container's mounts are made of. */
export interface MountInputs extends VolumeParts {
  attempt: number;
  down: Downward;
  envs: readonly { key: string; value: string }[];
  podIPs: readonly string[];
  /** Volumes that are ready, by name; filled as they are made. */
  volumes: Map<string, string>;
}

const PROPAGATION = {
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  None: 'PROPAGATION_PRIVATE',
} as const;

/** Where a run of a container leaves its termination message. */
export function messageFile(root: string, pod: Pod, container: string, attempt: number): string {
  return join(root, 'pods', uidOf(pod), 'containers', container, `${attempt}`);
}

/** The mounts of one run: its volumes, /etc/hosts, the termination message. Makes the volumes that aren't there yet. */
export async function containerMounts(pod: Pod, c: Container, o: MountInputs): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const m of c.volumeMounts ?? []) mounts.push(await volumeMount(pod, m, o));
  if (!mounts.some((m) => m.containerPath === '/etc/hosts')) {
    mounts.push({ containerPath: '/etc/hosts', hostPath: await hostsFile(pod, o), readonly: false });
  }
  const message = messageFile(o.root, pod, c.name, o.attempt);
  await mkdir(dirname(message), { recursive: true });
  await appendFile(message, '', { mode: 0o666 });
  mounts.push({
    containerPath: c.terminationMessagePath ?? '/dev/termination-log',
    hostPath: message,
    readonly: false,
  });
  return mounts;
}

async function volumeMount(
  pod: Pod,
  m: NonNullable<Container['volumeMounts']>[number],
  o: MountInputs,
): Promise<Mount> {
  const volume = pod.spec.volumes?.find((v) => v.name === m.name);
  if (!volume) throw new ConfigError(`volume ${m.name} not found`, 'FailedMount');
  const path = o.volumes.get(m.name) ?? (await setUpVolume(pod, volume, o, o.down));
  o.volumes.set(m.name, path);
  const sub = m.subPath ?? (m.subPathExpr === undefined ? undefined : expandVariables(m.subPathExpr, o.envs));
  if (sub !== undefined && (sub.startsWith('/') || sub.split('/').includes('..'))) {
    throw new ConfigError(`subPath ${JSON.stringify(sub)} must stay in its volume`);
  }
  const hostPath = sub ? join(path, sub) : path;
  if (sub && !volume.hostPath) await mkdir(hostPath, { recursive: true }).catch(() => undefined); // a file is there already
  const propagation = PROPAGATION[(m.mountPropagation ?? 'None') as keyof typeof PROPAGATION];
  return { containerPath: m.mountPath, hostPath, readonly: m.readOnly ?? false, propagation };
}

/** kubelet's managed hosts file, with the pod's addresses and spec.hostAliases. */
async function hostsFile(pod: Pod, o: MountInputs): Promise<string> {
  const path = join(o.root, 'pods', uidOf(pod), 'etc-hosts');
  const aliases = (pod.spec.hostAliases ?? []).map((a) => `${a.ip}\t${a.hostnames.join('\t')}`);
  const own = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...o.podIPs.map((ip) => `${ip}\t${hostnameOf(pod)}`),
    '',
  ];
  const head = pod.spec.hostNetwork ? await readFile('/etc/hosts', 'utf8') : own.join('\n');
  const tail = aliases.length > 0 ? ['', '# Entries added by HostAliases.', ...aliases, ''].join('\n') : '';
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, head + tail, { mode: 0o644 });
  return path;
}
