import { join } from 'node:path';
import { type Env, sleep } from '../../kube/meta/env.ts';
import { type Api, ApiError } from '../api.ts';
import type { ImageStore, Runtime } from '../runtime/runtime.ts';
import { hasEnded } from './actions.ts';
import { fingerprint, type Relist, relist } from './actual.ts';
import { type NodeView, type Refusal, refusal, requestOf } from './admit.ts';
import { type Cgroups, ensureTiers, kernelCgroups } from './cgroups.ts';
import { loadPods } from './checkpoint.ts';
import { merged } from './conditions.ts';
import type { NodeFacts } from './container.ts';
import { PodEvents } from './events.ts';
import { Evictor } from './evictor.ts';
import { Housekeeping } from './housekeeping.ts';
import { createPuller } from './images.ts';
import { forgettingImages, type ImageMounts } from './imagevolumes.ts';
import { machineFacts } from './machine.ts';
import { type MachineReader, machineReader } from './machinereader.ts';
import { nodeReads, nodeView } from './node.ts';
import { capacity, recursiveReadOnly } from './nodestatus.ts';
import type { WorkerParts } from './parts.ts';
import { type Pod, uidOf } from './pod.ts';
import { PulledImages } from './pulledimages.ts';
import { FollowedReferences, readReferences } from './references.ts';
import { StatusReporter } from './reporter.ts';
import { resizeOrder } from './resize.ts';
import { type MachineFacts, qosOf } from './resources.ts';
import { followPods, type PodHandler } from './source.ts';
import { isMirror, isStatic, StaticPods } from './staticpods.ts';
import { Stats } from './stats/read.ts';
import { podTokens } from './tokens.ts';
import { claimsOf } from './volumes/claim.ts';
import { type Mounter, machineMounter } from './volumes/mounter.ts';
import { removePodDirectory } from './volumes/teardown.ts';
import { PodWorker } from './worker.ts';

/** kubelet's generic PLEG: how often the runtime is asked what changed. */
const RELIST_MS = 1_000;
/** And while it has no pods. */
const IDLE_RELIST_MS = 10_000;
/** The API hasn't told the pods by then: those on disk are gone on with. */
const OFFLINE_MS = 5_000;
/** The classes' cgroups follow what pods ask for after this. */
const TIERS_MS = 1_000;
/** How long a stream waits for an agent that has just begun to know its pods: less than the relay waits for the agent. */
const OBSERVED_MS_MAX = 8_000;
const OBSERVE_MS = 50;

export interface KubeletParts {
  api: Api;
  runtime: Runtime;
  images: ImageStore;
  node: NodeFacts;
  name: string;
  root: string;
  hostIPs: readonly string[];
  /** What the node offers; absent: this machine's own. */
  allocatable?: Readonly<Record<string, string>>;
  /** Absent: the machine's own mounts. */
  mounter?: Mounter;
  /** Absent: image volumes are refused. */
  imageMounts?: ImageMounts | undefined;
  /** Absent: this machine's own numbers. */
  reader?: MachineReader;
  /** Services of the cluster; undefined until they are known. Absent: there are none. */
  services?: WorkerParts['services'];
  /** Absent: this machine. */
  machine?: MachineFacts;
  /** Absent: the kernel's own. */
  cgroups?: Cgroups;
  /** Files of pods that run here whatever the API says. Absent: there are none. */
  staticPods?: string;
  /** How long a pressure stays after it was seen last. */
  pressureSeconds?: number;
  env: Env;
}

/** The pods of this node: one worker each, woken by the API's watch and by the runtime's changes. */
export class Kubelet implements PodHandler {
  readonly workers = new Map<string, PodWorker>();
  readonly housekeeping: Housekeeping;
  readonly evictor: Evictor;
  readonly stats: Stats;
  readonly events: PodEvents;
  readonly #p: KubeletParts;
  readonly #parts: WorkerParts;
  readonly #reporter: StatusReporter;
  readonly #cgroups: Cgroups;
  readonly #static: StaticPods | undefined;
  /** The classes' cgroups are to be brought up to date. */
  #tiers: Promise<void> | undefined;
  readonly #followed: FollowedReferences;
  readonly #mounter: Mounter;
  readonly #pulled: PulledImages;
  #node: NodeView | undefined;
  #current: Promise<unknown> | undefined;
  #next: Promise<Relist> | undefined;
  #seen = new Map<string, string>();
  #list: Relist | undefined;
  #synced = false;
  #offline = false;
  #stop = new AbortController();

  constructor(p: KubeletParts) {
    this.#p = p;
    this.#cgroups = p.cgroups ?? kernelCgroups();
    if (p.staticPods)
      this.#static = new StaticPods({
        ...{ api: p.api, env: p.env, node: p.name, directory: p.staticPods },
        start: (pod) => this.#begin(pod),
        stop: (pod) => this.#end(pod, pod.spec.terminationGracePeriodSeconds ?? 30),
        report: (mirror, status) => this.#reporter.report(mirror, status),
      });
    this.#reporter = new StatusReporter(p.api, p.env);
    this.#followed = new FollowedReferences(p.api, p.env, p.name);
    this.#mounter = forgettingImages(p.mounter ?? machineMounter, p.imageMounts);
    this.#pulled = new PulledImages(join(p.root, 'images', 'pulled.json'));
    const events = new PodEvents(p.api, p.env, p.name);
    this.events = events;
    this.housekeeping = new Housekeeping({
      ...{ runtime: p.runtime, images: p.images, root: p.root, logRoot: p.node.logRoot, env: p.env },
      ...{ pulled: this.#pulled, mounter: this.#mounter },
      seen: () => this.#list,
      pods: () => (this.#synced ? this.workers : undefined),
      tell: (type, reason, message) => events.tellNode(type, reason, message),
    });
    const machine = p.reader ?? machineReader();
    const pods = () => [...this.workers.values()].filter((w) => w.admitted).map((w) => w.pod);
    const about = { runtime: p.runtime, images: p.images, root: p.root, logRoot: p.node.logRoot, machine, pods };
    this.stats = new Stats({ ...about, node: p.name, now: () => p.env.now() });
    this.evictor = new Evictor({
      ...about,
      ...(p.pressureSeconds === undefined ? {} : { transitionMs: p.pressureSeconds * 1000 }),
      env: p.env,
      end: (pod, why) => this.workers.get(uidOf(pod))?.end(why),
      reclaim: () => this.housekeeping.collectImages(Number.POSITIVE_INFINITY),
      tell: (type, reason, message) => events.tellNode(type, reason, message),
    });
    this.#parts = {
      runtime: p.runtime,
      images: createPuller(p.images, this.#pulled, () => p.env.now()),
      refs: readReferences(p.api, p.env),
      token: podTokens(p.api, p.env),
      followed: this.#followed,
      claims: claimsOf(p.api),
      mounter: this.#mounter,
      imageMounts: p.imageMounts,
      api: p.api,
      nodeName: p.name,
      ...nodeReads(p.api, p.name),
      recursiveReadOnly: (handler) => recursiveReadOnly(p.runtime, handler),
      node: p.node,
      root: p.root,
      hostIPs: p.hostIPs,
      allocatable: p.allocatable ?? capacity(p.root).allocatable,
      startedMs: p.env.now(),
      cgroups: this.#cgroups,
      admit: (pod) => this.#admit(pod),
      admitResize: (worker) => this.#admitResize(worker),
      changed: () => this.#changed(),
      services: p.services ?? (async () => []),
      machine: p.machine ?? machineFacts(),
      relist: () => this.#relist(),
      report: (pod, status) => (isStatic(pod) ? this.#static?.report(pod, status) : this.#reporter.report(pod, status)),
      removeObject: (pod) => this.#removeObject(pod),
      event: (...told) => events.tell(...told),
      env: p.env,
    };
  }

  /** Runs until `stop`: follows the API and the runtime; where the API can't be reached, what was saved of the pods. */
  async run(): Promise<void> {
    const { api, name, env } = this.#p;
    env.after(OFFLINE_MS, () => this.#goOffline());
    const { signal } = this.#stop;
    await Promise.all([
      followPods(api, name, this, env, signal),
      this.#follow(),
      this.housekeeping.run(signal),
      this.evictor.run(signal),
      this.#static?.run(signal),
    ]);
  }

  /** Counts up with each image that was pulled or removed. */
  get imageChanges(): number {
    return this.#pulled.changes;
  }

  /** Leaves all pods as they are. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#reporter.stop();
    this.#followed.stop();
    await Promise.all([...this.workers.values()].map((w) => w.leave()));
  }

  /** Takes the pods as they were saved, unless the API has told them or they are known already. */
  async #goOffline(): Promise<void> {
    if (this.#synced || this.#offline || this.#stop.signal.aborted) return;
    this.#offline = true;
    const pods = await loadPods(this.#p.root);
    if (this.#synced || pods.length === 0) return;
    this.#p.env.log('info', 'pods.from.disk', { pods: pods.length });
    for (const pod of pods) if (!this.workers.has(uidOf(pod)) && !isStatic(pod)) this.upsert(pod);
  }

  /**
   * The worker of a pod once it has looked at the runtime: right after the agent's start neither is there yet. Undefined when
   * there is none, or not within `OBSERVED_MS_MAX`. `uid`: the API's pod, of which this node may not have heard yet; another of that name may still be ending.
   */
  async observed(namespace: string, name: string, uid = ''): Promise<PodWorker | undefined> {
    const end = this.#p.env.now() + OBSERVED_MS_MAX;
    while ((!this.#synced || uid !== '') && !this.find(namespace, name, uid) && this.#p.env.now() < end)
      await sleep(this.#p.env, OBSERVE_MS);
    const worker = this.find(namespace, name, uid);
    await Promise.race([worker?.observed(), sleep(this.#p.env, Math.max(0, end - this.#p.env.now()))]);
    return worker;
  }

  /** The worker of a pod by namespace and name. `uid`: that very one, or the static pod whose mirror has it; '' = any. */
  find(namespace: string, name: string, uid = ''): PodWorker | undefined {
    for (const w of this.workers.values())
      if (w.pod.metadata.name === name && w.pod.metadata.namespace === namespace)
        if (uid === '' || uidOf(w.pod) === uid || isStatic(w.pod)) return w;
    return undefined;
  }

  replace(pods: Pod[]): void {
    const uids = new Set(pods.map(uidOf));
    for (const [uid, w] of this.workers) if (!uids.has(uid) && !isStatic(w.pod)) this.remove(w.pod);
    for (const pod of pods) this.upsert(pod);
    this.#synced = true;
    this.#static?.synced();
  }
  upsert(pod: Pod): void {
    const worker = this.workers.get(uidOf(pod));
    if (isMirror(pod)) this.#static?.took(pod);
    else if (worker) {
      // Our own status may be ahead of what the watch shows: it is kept then. If it isn't, another has changed it, and the worker sets it right.
      const own = this.#reporter.includedIn(uidOf(pod), pod.metadata.resourceVersion) ? undefined : worker.pod.status;
      worker.pod = { ...pod, ...(own ? { status: merged(own, pod.status) } : {}) };
      worker.wake();
    } else this.#begin(pod);
  }
  #begin(pod: Pod): void {
    this.#p.env.log('debug', 'pod.seen', { pod: pod.metadata.name });
    const made = new PodWorker(pod, this.#parts);
    this.workers.set(uidOf(pod), made);
    made.wake();
  }
  remove(pod: Pod): void {
    if (isMirror(pod)) this.#static?.lost(pod);
    else this.#end(pod, 0);
  }
  /** The pod is nobody's any more: it ends within that time, or what its deletion has given it. */
  #end(pod: Pod, graceSeconds: number): void {
    const worker = this.workers.get(uidOf(pod));
    if (!worker) return;
    worker.gone = true;
    worker.pod = {
      ...worker.pod,
      metadata: {
        ...worker.pod.metadata,
        deletionTimestamp: worker.pod.metadata.deletionTimestamp ?? '',
        deletionGracePeriodSeconds: worker.pod.metadata.deletionGracePeriodSeconds ?? graceSeconds,
      },
    };
    worker.wake();
  }
  reachable(yes: boolean): void {
    if (!yes) void this.#goOffline();
  }

  async #follow(): Promise<void> {
    let listedMs = 0;
    while (!this.#stop.signal.aborted) {
      await sleep(this.#p.env, RELIST_MS);
      const idle = this.#synced && this.workers.size === 0 && this.#list?.sandboxes.size === 0;
      if (idle && this.#p.env.now() - listedMs < IDLE_RELIST_MS) continue;
      listedMs = this.#p.env.now();
      const list = await this.#relist().catch((e: unknown) => {
        this.#p.env.log('warn', 'relist.failed', { error: String(e) });
        return null;
      });
      if (list === null) continue;
      this.#list = list;
      for (const uid of new Set([...list.sandboxes.keys(), ...list.containers.keys(), ...this.workers.keys()])) {
        const print = fingerprint(list, uid);
        const worker = this.workers.get(uid);
        if (worker?.finished) {
          this.workers.delete(uid);
          this.#seen.delete(uid);
          this.#reporter.forget(uid);
        } else if (!worker && this.#synced) await this.#orphan(uid, list);
        else if (this.#seen.get(uid) !== print) {
          this.#seen.set(uid, print);
          worker?.wake();
        }
      }
    }
  }

  /** What runs here for a pod that the API doesn't know any more. */
  async #orphan(uid: string, list: Relist): Promise<void> {
    this.#p.env.log('info', 'pod.orphan', { uid });
    try {
      for (const s of list.sandboxes.get(uid) ?? []) {
        await this.#p.runtime.stopPodSandbox(s.id);
        await this.#p.runtime.removePodSandbox(s.id);
      }
      for (const tier of ['', 'burstable', 'besteffort'])
        await this.#cgroups.remove(join(this.#p.node.cgroupParent, tier, `pod${uid}`));
      await removePodDirectory(this.#p.root, uid, this.#mounter);
    } catch (error) {
      this.#p.env.log('warn', 'pod.orphan.failed', { uid, error: String(error) }); // the next relist tries again
    }
  }

  #relist(): Promise<Relist> {
    // A list that has already begun may miss what the caller just did: callers share the next one instead.
    this.#next ??= (this.#current ?? Promise.resolve()).then(() => {
      this.#next = undefined;
      const list = relist(this.#p.runtime);
      this.#current = list
        .catch(() => undefined)
        .then(() => {
          this.#current = undefined;
        });
      return list;
    });
    return this.#next;
  }

  /** Pods that this node has taken and that haven't ended, as they were granted. */
  #taken(except?: string): Pod[] {
    return [...this.workers.values()]
      .filter((w) => w.admitted && !hasEnded(w.pod) && uidOf(w.pod) !== except)
      .map((w) => w.allocated);
  }

  /** Judged by the node as it was read before; a refusal is confirmed with the node as it is now. */
  async #admit(pod: Pod): Promise<Refusal | null> {
    const pressed = this.evictor.refusal(pod);
    if (pressed !== null) return { reason: 'Evicted', message: `Pod was rejected: ${pressed}` };
    const others = this.#taken();
    if (this.#node && refusal(pod, this.#node, others) === null) return null;
    const node = await this.#p.api.get(`/api/v1/nodes/${this.#p.name}`).catch((e: unknown) => {
      this.#p.env.log('warn', 'node.read.failed', { error: String(e) });
      return null; // the scheduler has chosen this node; nothing here says that it was wrong
    });
    if (node === null) return null;
    this.#node = nodeView(node);
    return refusal(pod, this.#node, others);
  }

  /** A resize fits beside all others; those that wait and come before it have been asked first. */
  async #admitResize({ pod }: { pod: Pod }): Promise<Refusal | null> {
    this.#node ??= nodeView(await this.#p.api.get(`/api/v1/nodes/${this.#p.name}`));
    return refusal(pod, this.#node, this.#taken(uidOf(pod)));
  }

  /** What is free is another: resizes that wait are tried again in upstream's order, and burstable pods' share is what they ask for. */
  #changed(): void {
    const waiting = [...this.workers.values()].filter((w) => w.admitted && w.resizes.wants(w.pod));
    for (const w of waiting.sort(resizeOrder)) w.wake();
    this.#tiers ??= sleep(this.#p.env, TIERS_MS).then(() => {
      this.#tiers = undefined;
      return this.#setTiers();
    });
  }

  async #setTiers(): Promise<void> {
    const milli = this.#taken()
      .filter((p) => qosOf(p) === 'Burstable')
      .reduce((sum, p) => sum + requestOf(p, 'cpu'), 0);
    await ensureTiers(this.#cgroups, this.#p.node.cgroupParent, milli).catch((e: unknown) =>
      this.#p.env.log('warn', 'cgroups.failed', { error: String(e) }),
    );
  }

  async #removeObject(pod: Pod): Promise<void> {
    await this.#reporter.sent(pod);
    const m = pod.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid: m.uid ?? '' },
    };
    await this.#p.api.send('DELETE', `/api/v1/namespaces/${m.namespace}/pods/${m.name}`, body).catch((e: unknown) => {
      if (e instanceof ApiError && (e.code === 404 || e.code === 409)) return;
      throw e;
    });
  }
}
