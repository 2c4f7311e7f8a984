import type { Env } from '../../kube/meta/env.ts';
import type { Api } from '../api.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Relist } from './actual.ts';
import type { Refusal } from './admit.ts';
import type { Cgroups } from './cgroups.ts';
import type { NodeFacts } from './container.ts';
import type { References } from './env.ts';
import type { ImagePuller } from './images.ts';
import type { ImageMounts } from './imagevolumes.ts';
import type { Pod, PodStatus } from './pod.ts';
import type { FollowedReferences } from './references.ts';
import type { MachineFacts } from './resources.ts';
import type { Service } from './serviceenv.ts';
import type { Claims, TokenSource } from './volumes/kind.ts';
import type { Mounter } from './volumes/mounter.ts';

/** What every worker shares. */
export interface WorkerParts {
  runtime: Runtime;
  images: ImagePuller;
  refs: References;
  token: TokenSource;
  /** ConfigMaps and Secrets of volumes. */
  followed: FollowedReferences;
  claims: Claims;
  mounter: Mounter;
  /** Undefined: this node's runtime can't show images as volumes. */
  imageMounts: ImageMounts | undefined;
  api: Api;
  nodeName: string;
  /** This node's own uid. */
  nodeUid(): Promise<string>;
  /** Labels of this node as the API has them. */
  labels(): Promise<Readonly<Record<string, string>>>;
  /** Whether a runtime handler makes what lies below read-only mounts read-only. */
  recursiveReadOnly(handler: string): Promise<boolean>;
  node: NodeFacts;
  /** State of pods: volumes, hosts files, termination messages. */
  root: string;
  hostIPs: readonly string[];
  allocatable: Readonly<Record<string, string>>;
  /** When this agent began, in milliseconds since the epoch: what ran before keeps its readiness. */
  startedMs: number;
  /** All Services as they are known; undefined until they have been read once. `patient`: waits a moment for that. */
  services(patient: boolean): Promise<readonly Service[] | undefined>;
  machine: MachineFacts;
  /** The runtime's name for a RuntimeClass, '' for ''; rejects when there is none. */
  runtimeHandler(runtimeClass: string): Promise<string>;
  relist(): Promise<Relist>;
  cgroups: Cgroups;
  /** Why the node can't give a pod the resources that it asks for now; null when it can. */
  admitResize(worker: { pod: Pod; allocated: Pod }): Promise<Refusal | null>;
  /** A pod was taken or has ended: what is free is another. */
  changed(): void;
  /** Why this node doesn't take the pod; null when it does. */
  admit(pod: Pod): Promise<Refusal | null>;
  /** Sends a status to the API, at some time. */
  report(pod: Pod, status: PodStatus): void;
  /** Removes the pod's object, once all that was reported of it has been taken: everything of it has ended here. */
  removeObject(pod: Pod): Promise<void>;
  /** `container`: what it is about, where it isn't the whole pod. */
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
  env: Env;
}
