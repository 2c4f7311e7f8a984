import { join } from 'node:path';
import type { ImageStore, Runtime } from '../../runtime/runtime.ts';
import { logDirectory } from '../container.ts';
import type { MachineReader } from '../machinereader.ts';
import { type Pod, uidOf } from '../pod.ts';
import { diskUse } from '../podusage.ts';
import { type Before, nanosOf, type Sample, type Summary, statsOf, summaryOf } from './summary.ts';

/** Nanoseconds of CRI's times in a millisecond. */
const NANOS_PER_MS = 1e6;

export interface StatsParts {
  runtime: Runtime;
  images: ImageStore;
  machine: MachineReader;
  node: string;
  root: string;
  logRoot: string;
  pods(): readonly Pod[];
  now(): number;
}

/** Makes summaries when they are asked for; nothing is measured while nobody asks. */
export class Stats {
  readonly #p: StatsParts;
  #before: Before | undefined;

  constructor(p: StatsParts) {
    this.#p = p;
  }

  async summary(): Promise<Summary> {
    const sample = await this.#sample();
    const summary = summaryOf(sample, this.#before);
    this.#before = { atMs: sample.atMs, nanos: nanosOf(sample) };
    return summary;
  }

  async #sample(): Promise<Sample> {
    const { runtime, images, machine, node, root, logRoot, pods, now } = this.#p;
    const [all, containers, info] = await Promise.all([
      runtime.listContainerStats(),
      runtime.listContainers({ state: 'CONTAINER_RUNNING' }),
      images.imageFsInfo(),
    ]);
    const started = new Map(containers.map((c) => [c.id, c.createdAt / NANOS_PER_MS]));
    const imageFs = info.imageFilesystems[0];
    const samples: Sample['pods'][number][] = [];
    for (const pod of pods()) {
      const running = statsOf(pod, all).filter((s) => started.has(s.attributes.id));
      const of = [];
      for (const stats of running) {
        const logs = await diskUse(join(logDirectory(logRoot, pod), stats.attributes.metadata.name));
        of.push({ stats, logs, startedMs: started.get(stats.attributes.id) ?? 0 });
      }
      samples.push({ pod, containers: of, volumes: await this.#volumes(pod) });
    }
    return {
      atMs: now(),
      node: {
        name: node,
        ...machine.cpu(),
        memory: machine.memory(),
        processes: machine.processes(),
        disk: machine.disk(root),
        imageDisk: machine.disk(imageFs?.fsId?.mountpoint ?? root),
        imageUsedBytes: imageFs?.usedBytes ?? 0,
      },
      pods: samples,
    };
  }

  async #volumes(pod: Pod) {
    const dir = join(this.#p.root, 'pods', uidOf(pod), 'volumes');
    const out = new Map<string, { bytes: number; inodes: number }>();
    for (const v of pod.spec.volumes ?? []) {
      const plugin = v.emptyDir
        ? 'empty-dir'
        : v.configMap
          ? 'configmap'
          : v.secret
            ? 'secret'
            : v.projected
              ? 'projected'
              : v.downwardAPI
                ? 'downward-api'
                : undefined;
      if (plugin !== undefined) out.set(v.name, await diskUse(join(dir, `kubernetes.io~${plugin}`, v.name)));
    }
    return out;
  }
}
