import type { Env } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Relist } from './actual.ts';
import type { Refusal } from './admit.ts';
import type { NodeFacts } from './container.ts';
import type { References } from './env.ts';
import type { ImagePuller } from './images.ts';
import type { Pod, PodStatus } from './pod.ts';
import type { TokenSource } from './volumes.ts';

/** What every worker shares. */
export interface WorkerParts {
  runtime: Runtime;
  images: ImagePuller;
  refs: References;
  token: TokenSource;
  node: NodeFacts;
  /** State of pods: volumes, hosts files, termination messages. */
  root: string;
  hostIPs: readonly string[];
  allocatable: Readonly<Record<string, string>>;
  /** When this agent began, in milliseconds since the epoch: what ran before keeps its readiness. */
  startedMs: number;
  /** Environment of services that a pod's namespace sees. */
  services(namespace: string): readonly { key: string; value: string }[];
  relist(): Promise<Relist>;
  /** Why this node doesn't take the pod; null when it does. */
  admit(pod: Pod): Promise<Refusal | null>;
  /** Sends a status to the API, at some time. */
  report(pod: Pod, status: PodStatus): void;
  /** Removes the pod's object, once all that was reported of it has been taken: everything of it has ended here. */
  removeObject(pod: Pod): Promise<void>;
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void;
  env: Env;
}
