import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';

/** What the scheduler reads of a pod: facts of core/v1. */
export interface Pod extends KubeObject {
  spec: JsonObject & {
    nodeName?: string;
    nodeSelector?: Record<string, string>;
    affinity?: { nodeAffinity?: NodeAffinity };
    tolerations?: Toleration[];
    priority?: number;
    preemptionPolicy?: string;
    schedulerName?: string;
    schedulingGates?: { name: string }[];
    overhead?: Record<string, string>;
    containers: PodContainer[];
    initContainers?: (PodContainer & { restartPolicy?: string })[];
  };
}
export interface PodContainer extends JsonObject {
  name: string;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  ports?: { hostPort?: number; hostIP?: string; protocol?: string }[];
}
export interface Toleration extends JsonObject {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
}
export interface Taint extends JsonObject {
  key: string;
  value?: string;
  effect: string;
}
export interface NodeSelectorTerm extends JsonObject {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
  matchFields?: { key: string; operator: string; values?: string[] }[];
}
export interface NodeAffinity extends JsonObject {
  requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: NodeSelectorTerm[] };
  preferredDuringSchedulingIgnoredDuringExecution?: { weight: number; preference: NodeSelectorTerm }[];
}

/** Amounts by resource name: cpu in milli, everything else in whole units. */
export type Amounts = Record<string, number>;

/** A node in the snapshot. `requested`, `ports` and `pods` rise as the round assumes placements. */
export interface NodeInfo {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  unschedulable: boolean;
  allocatable: Amounts;
  requested: Amounts;
  /** As requested, with upstream's defaults for containers without requests: what scores count. */
  nonZero: Amounts;
  pods: number;
  /** The pods themselves, for preemption. */
  placed: Pod[];
  /** `TCP/0.0.0.0/80` of host ports in use. */
  ports: Set<string>;
}
export interface Snapshot {
  nodes: readonly NodeInfo[];
}

/** Why a node is out, in upstream's words; `final`: no change of pods on the node would help, so preemption needn't try. */
export interface Reject {
  reasons: string[];
  final?: boolean;
}
/** What may make a rejected pod schedulable again: wakes the pods that a plugin with that event rejected. */
export type ClusterEvent = 'node' | 'pod-deleted' | 'pod-updated';

/** One scheduler plugin: pure functions over the snapshot. Adding one is a file and a line in plugins/index.ts. */
export interface SchedulerPlugin<S = unknown> {
  name: string;
  /** Of its score, where it has one. */
  weight?: number;
  retryOn: readonly ClusterEvent[];
  /** Once per pod: what filter and score need; a Reject ends the pod's turn. `null` = nothing to do for this pod. */
  prepare?(pod: Pod, snapshot: Snapshot): S | Reject | null;
  filter?(state: S, node: NodeInfo): Reject | undefined;
  /** 0 to 100, or any number when `normalize` says. */
  score?(state: S, node: NodeInfo): number;
  /** Scores are scaled to 0..100 over all nodes; 'reverse': the highest becomes 0. */
  normalize?: 'scale' | 'reverse';
}

export const isReject = (v: unknown): v is Reject =>
  typeof v === 'object' && v !== null && Array.isArray((v as Reject).reasons);
export const SCORE_MAX = 100;
