import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allowForwarding, type PodNetwork, writePodNetwork } from '../network/cni/podnetwork.ts';
import { delegateControllers } from './cgroups.ts';
import {
  type ContainerdDirs,
  cniConfDirOf,
  containerdToml,
  hostsToml,
  registryDirOf,
  SANDBOX_IMAGE,
} from './config.ts';
import { type Containerd, startContainerd } from './containerd.ts';
import {
  type CgroupMode,
  cgroupMode,
  findCniBinDir,
  findProgram,
  oomScoreRestricted,
  setSysctl,
  snapshotterFor,
} from './machine.ts';
import { installPackages, missingPackages, type Progress } from './packages.ts';
import { authToml, hostsFile, hostsFolder, hostsOf, type Registries } from './registries.ts';
import { routeRewrites } from './rewriting.ts';

export interface PrepareOptions extends ContainerdDirs {
  network: PodNetwork;
  /** Default: SANDBOX_IMAGE. */
  sandboxImage?: string;
  /** Registry host to the URLs that are asked for it, first to last: `{ 'docker.io': ['http://127.0.0.1:5000'] }`. */
  mirrors?: Record<string, string[]>;
  /** Mirrors, TLS and credentials of registries; `mirrors` counts before them. */
  registries?: Registries;
  /** One line for each step, for people. */
  progress?: Progress;
}

/** A machine that can run pods: containerd runs, the pod network is set. */
export interface Prepared {
  containerd: Containerd;
  cgroups: CgroupMode;
  snapshotter: 'overlayfs' | 'native';
  restrictOomScoreAdj: boolean;
}

async function forwardPackets(network: PodNetwork, progress: Progress): Promise<void> {
  if (!(await setSysctl('net.ipv4.ip_forward', '1')))
    progress('ip_forward could not be set: pods reach only this node');
  if (network.podCidrs.some((c) => c.includes(':'))) await setSysctl('net.ipv6.conf.all.forwarding', '1');
  if (await allowForwarding(network)) progress('forwarded packets are dropped here: those of pods are let through');
}

/** Writes who is asked for images; gives what containerd's configuration has to have of it: credentials. */
async function writeRegistries(o: PrepareOptions): Promise<string> {
  const registries = o.registries ?? {};
  const { hosts, aliases } = await routeRewrites(hostsOf(registries));
  const files = Object.entries(hosts).map(([host, h]) => [hostsFolder(host), hostsFile(h)] as const);
  for (const [host, urls] of Object.entries(o.mirrors ?? {})) files.push([host, hostsToml(urls)]);
  // What an earlier agent was told is over.
  await rm(registryDirOf(o), { recursive: true, force: true });
  for (const [host, text] of files) {
    const dir = join(registryDirOf(o), host);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'hosts.toml'), text);
  }
  return authToml(registries, aliases);
}

/**
 * Makes this machine able to run pods: installs what is missing, looks at the kernel, writes the configuration of a
 * containerd of our own and of the pod network, starts it. Can be called again at any time; needs root.
 */
export async function prepare(o: PrepareOptions): Promise<Prepared> {
  const progress = o.progress ?? (() => undefined);
  if (process.getuid?.() !== 0) throw new Error('the node agent needs root');
  const installed = await installPackages(missingPackages(), progress);
  if (!installed.ok) throw new Error(installed.why);
  const [program, cniBinDir] = [findProgram('containerd'), findCniBinDir()];
  if (program === null || cniBinDir === null) throw new Error(`still missing: ${missingPackages().join(', ')}`);

  for (const dir of [o.rootDir, o.stateDir]) await mkdir(dir, { recursive: true, mode: 0o711 });
  const [cgroups, restrictOomScoreAdj, snapshotter] = await Promise.all([
    cgroupMode(),
    oomScoreRestricted(),
    snapshotterFor(o.rootDir),
  ]);
  progress(`cgroups ${cgroups}, snapshots by ${snapshotter}${restrictOomScoreAdj ? ', oom_score_adj restricted' : ''}`);
  if (cgroups === 'v2' && !existsSync('/run/systemd/system')) await delegateControllers();
  await forwardPackets(o.network, progress);

  await writePodNetwork(cniConfDirOf(o), o.network);
  const auth = await writeRegistries(o);
  const toml = containerdToml({
    ...o,
    cniBinDir,
    snapshotter,
    restrictOomScoreAdj,
    // The kubelet's cgroup parents are paths (`/kubepods/...`), which runc's systemd driver refuses.
    systemdCgroup: false,
    sandboxImage: o.sandboxImage ?? SANDBOX_IMAGE,
  }).concat(auth);
  const containerd = await startContainerd(program, o, toml);
  progress(`containerd runs (pid ${containerd.pid}, ${containerd.socket})`);
  return { containerd, cgroups, snapshotter, restrictOomScoreAdj };
}
