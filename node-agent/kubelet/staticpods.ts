import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIRROR } from '../../kube/kinds/podfacts.ts';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';
import type { Pod, PodStatus } from './pod.ts';
import { podKey, uidOf } from './pod.ts';

/** kubelet's fileCheckFrequency. */
const LOOK_MS = 20_000;
const SOURCE = 'kubernetes.io/config.source';
const HASH = 'kubernetes.io/config.hash';

export const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[MIRROR] !== undefined;
/** A pod of a file on this machine: no API has asked for it. */
export const isStatic = (pod: Pod): boolean => pod.metadata.annotations?.[SOURCE] === 'file' && !isMirror(pod);

/** What a file of `directory` makes of this node: pkg/kubelet/config. Null for what isn't a pod. */
export function staticPod(object: JsonObject, path: string, node: string): Pod | null {
  const pod = object as unknown as Pod;
  if (object.kind !== 'Pod' || !pod.metadata?.name || !Array.isArray(pod.spec?.containers)) return null;
  const uid = createHash('md5')
    .update(`${node}\n${path}\n${JSON.stringify(object)}`)
    .digest('hex');
  const annotations = { ...pod.metadata.annotations, [HASH]: uid, [SOURCE]: 'file' };
  const forEver = { operator: 'Exists', effect: 'NoExecute' } as NonNullable<Pod['spec']['tolerations']>[number];
  return {
    ...pod,
    apiVersion: 'v1',
    metadata: {
      ...pod.metadata,
      name: `${pod.metadata.name}-${node}`,
      namespace: pod.metadata.namespace || 'default',
      uid,
      annotations,
    },
    // Nobody evicts it, and it needs no ServiceAccount: it may be what the API runs on.
    spec: { ...pod.spec, nodeName: node, tolerations: [...(pod.spec.tolerations ?? []), forEver] },
    status: { phase: 'Pending' },
  };
}

export interface StaticParts {
  api: Api;
  env: Env;
  node: string;
  /** Where the files are. */
  directory: string;
  start(pod: Pod): void;
  stop(pod: Pod): void;
  /** Sends the status of a mirror pod. */
  report(mirror: Pod, status: PodStatus): void;
}

/** Pods of files on this machine, and the mirror pods by which the API shows them (KEP-less, pkg/kubelet/pod/mirror_client.go). */
export class StaticPods {
  readonly #p: StaticParts;
  /** By uid. */
  readonly #pods = new Map<string, Pod>();
  /** By namespace and name, as the API has them. */
  readonly #mirrors = new Map<string, Pod>();
  readonly #statuses = new Map<string, PodStatus>();
  #synced = false;

  constructor(p: StaticParts) {
    this.#p = p;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look().catch((e: unknown) => this.#p.env.log('warn', 'static.failed', { error: String(e) }));
      await sleep(this.#p.env, LOOK_MS);
    }
  }

  /** Takes up what the files say now. */
  async look(): Promise<void> {
    const found = new Map<string, Pod>();
    for (const name of (await readdir(this.#p.directory)).filter((n) => !n.startsWith('.'))) {
      const pod = await this.#read(join(this.#p.directory, name));
      if (pod) found.set(uidOf(pod), pod);
    }
    for (const [uid, pod] of this.#pods) {
      if (found.has(uid)) continue;
      this.#pods.delete(uid);
      this.#statuses.delete(uid);
      this.#p.stop(pod);
    }
    for (const [uid, pod] of found) {
      if (this.#pods.has(uid)) continue;
      this.#pods.set(uid, pod);
      this.#p.start(pod);
    }
    await this.#mirror();
  }

  async #read(path: string): Promise<Pod | null> {
    try {
      // The parser is big, and most nodes have no such files.
      const { parse } = await import('yaml');
      const object = parse(await readFile(path, 'utf8')) as JsonObject | null;
      return object && staticPod(object, path, this.#p.node);
    } catch (error) {
      this.#p.env.log('warn', 'static.unreadable', { path, error: String(error) });
      return null;
    }
  }

  /** The API has told all pods of this node. */
  synced(): void {
    this.#synced = true;
    void this.#mirror();
  }
  /** A mirror pod, as the API has it. */
  took(mirror: Pod): void {
    this.#mirrors.set(podKey(mirror), mirror);
    void this.#mirror();
  }
  lost(mirror: Pod): void {
    if (uidOf(this.#mirrors.get(podKey(mirror)) ?? mirror) === uidOf(mirror)) this.#mirrors.delete(podKey(mirror));
    void this.#mirror();
  }

  /** A static pod's status goes to its mirror, once there is one. */
  report(pod: Pod, status: PodStatus): void {
    this.#statuses.set(uidOf(pod), status);
    const mirror = this.#mirrors.get(podKey(pod));
    if (mirror && !mirror.metadata.deletionTimestamp) this.#p.report(mirror, status);
  }

  /** Each static pod has a mirror of its own hash, and each mirror a pod. */
  async #mirror(): Promise<void> {
    if (!this.#synced) return;
    const wanted = new Map([...this.#pods.values()].map((p) => [podKey(p), p]));
    try {
      for (const [key, mirror] of this.#mirrors) {
        const pod = wanted.get(key);
        const stands = pod && mirror.metadata.annotations?.[MIRROR] === uidOf(pod);
        if (!stands || mirror.metadata.deletionTimestamp) await this.#remove(mirror);
      }
      for (const [key, pod] of wanted) if (!this.#mirrors.has(key)) await this.#create(pod);
    } catch (error) {
      this.#p.env.log('warn', 'mirror.failed', { error: String(error) }); // the next look tries again
    }
  }

  async #remove(mirror: Pod): Promise<void> {
    const { namespace, name } = mirror.metadata;
    const preconditions = { uid: uidOf(mirror) };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions };
    this.#mirrors.delete(podKey(mirror));
    await this.#p.api.send('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, body).catch(ignoreGone);
  }

  async #create(pod: Pod): Promise<void> {
    const { uid = '', resourceVersion: _, ...metadata } = pod.metadata;
    const node = await this.#p.api.get(`/api/v1/nodes/${this.#p.node}`);
    const owner = {
      apiVersion: 'v1',
      kind: 'Node',
      name: this.#p.node,
      uid: String((node.metadata as JsonObject).uid),
    };
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...metadata,
        annotations: { ...metadata.annotations, [MIRROR]: uid },
        ownerReferences: [{ ...owner, controller: true }],
      },
      spec: pod.spec,
    } as unknown as Json;
    const path = `/api/v1/namespaces/${metadata.namespace}/pods`;
    const made = await this.#p.api.send('POST', path, body).catch(ignoreGone);
    if (!made) return;
    const mirror = made as unknown as Pod;
    this.#mirrors.set(podKey(pod), mirror);
    const status = this.#statuses.get(uid);
    if (status) this.#p.report(mirror, status);
  }
}

/** Somebody was faster: the watch tells. */
function ignoreGone(e: unknown): null {
  if (e instanceof ApiError && (e.code === 404 || e.code === 409)) return null;
  throw e;
}
