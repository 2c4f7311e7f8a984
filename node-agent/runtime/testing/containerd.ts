import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SANDBOX_IMAGE } from '../../install/config.ts';
import { installPackages, missingPackages } from '../../install/packages.ts';
import { type Prepared, type PrepareOptions, prepare } from '../../install/prepare.ts';
import { removeContainerd } from '../../install/remove.ts';
import type { PodNetwork } from '../../network/cni/podnetwork.ts';
import { connectCri } from '../cri.ts';
import type { ImageStore, Runtime } from '../runtime.ts';
import { busyboxImage, findBusybox } from './image.ts';
import { type Registry, startRegistry } from './registry.ts';

/** The image that tests run; `nobody/busybox:1` is the same with User 65534. */
export const BUSYBOX = 'registry.test/busybox:1';
export const BUSYBOX_NOBODY = 'registry.test/nobody/busybox:1';

/** A test run that is told to end still takes its containerd away. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface TestContainerd {
  runtime: Runtime;
  images: ImageStore;
  prepared: Prepared;
  registry: Registry;
  network: PodNetwork;
  /** Private to this test, removed at the end. */
  dir: string;
  close(): Promise<void>;
}

/** Why a real containerd can't be used here; null when it can. Installs Debian's packages as the agent would. */
export async function whyNoContainerd(): Promise<string | null> {
  if (process.platform !== 'linux') return 'containerd runs on Linux only';
  if (process.getuid?.() !== 0) return 'not root';
  const needs = [...missingPackages(), ...(findBusybox() === null ? ['busybox-static'] : [])];
  const installed = await installPackages(needs, (l) => console.error(l));
  return installed.ok ? null : installed.why;
}

/**
 * A containerd of its own in a private directory, with a pod network of its own (`subnet` is the third byte of
 * 10.213.x.0/24: give each test file another), a registry in this process and the images that tests use. Pulls for
 * registry.test and registry.k8s.io go to that registry.
 */
export async function startTestContainerd(subnet: number): Promise<TestContainerd> {
  const dir = await mkdtemp(join(tmpdir(), 'cri-'));
  const registry = await startRegistry();
  const command = { cmd: ['sh'] };
  registry.add(busyboxImage('busybox', '1', command));
  registry.add(busyboxImage('nobody/busybox', '1', { ...command, user: '65534' }));
  registry.add(busyboxImage('pause', SANDBOX_IMAGE.split(':')[1] ?? '', { entrypoint: ['/bin/sleep', '2147483647'] }));
  const network: PodNetwork = {
    name: `test${process.pid}-${subnet}`,
    podCidrs: [`10.213.${subnet}.0/24`],
    dataDir: join(dir, 'addresses'),
  };
  const dirs = { rootDir: join(dir, 'root'), stateDir: join(dir, 'run') };
  const mirrors: PrepareOptions['mirrors'] = { 'registry.test': [registry.url], 'registry.k8s.io': [registry.url] };
  try {
    const prepared = await prepare({ ...dirs, network, mirrors });
    const { runtime, images } = connectCri(prepared.containerd.socket);
    const interrupted = () => void close().finally(() => process.exit(1));
    const close = async () => {
      for (const signal of SIGNALS) process.off(signal, interrupted);
      runtime.close();
      try {
        await removeContainerd(prepared.containerd, dirs, network);
      } finally {
        await registry.close();
        await rm(dir, { recursive: true, force: true });
      }
    };
    for (const signal of SIGNALS) process.on(signal, interrupted);
    return { runtime, images, prepared, registry, network, dir, close };
  } catch (e) {
    await registry.close();
    await rm(dir, { recursive: true, force: true });
    throw e;
  }
}
