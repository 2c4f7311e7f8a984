import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { LabelRequirement, LabelSelector } from '../../kube/meta/selectors.ts';
import type { Key } from '../../kube/store/store.ts';
import type { Asking, Counts, Matches } from './counts.ts';
import type { Storage } from './storage.ts';

/** What the scheduler reads of a pod: facts of core/v1. */
export interface Pod extends KubeObject {
  spec: JsonObject & {
    nodeName?: string;
    nodeSelector?: Record<string, string>;
    affinity?: { nodeAffinity?: NodeAffinity; podAffinity?: PodAffinity; podAntiAffinity?: PodAffinity };
    tolerations?: Toleration[];
    priority?: number;
    preemptionPolicy?: string;
    schedulerName?: string;
    schedulingGates?: { name: string }[];
    topologySpreadConstraints?: SpreadConstraint[];
    overhead?: Record<string, string>;
    resources?: Resources;
    containers: PodContainer[];
    initContainers?: (PodContainer & { restartPolicy?: string })[];
    volumes?: JsonObject[];
  };
}
export interface Resources extends JsonObject {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}
export interface PodContainer extends JsonObject {
  name: string;
  image?: string;
  resources?: Resources;
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
export interface PodAffinityTerm extends JsonObject {
  topologyKey: string;
  labelSelector?: LabelSelector & JsonObject;
  namespaces?: string[];
  namespaceSelector?: LabelSelector & JsonObject;
}
export interface PodAffinity extends JsonObject {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[];
  preferredDuringSchedulingIgnoredDuringExecution?: { weight: number; podAffinityTerm: PodAffinityTerm }[];
}
export interface SpreadConstraint extends JsonObject {
  maxSkew: number;
  topologyKey: string;
  whenUnsatisfiable: string;
  labelSelector?: LabelSelector & JsonObject;
  matchLabelKeys?: string[];
  minDomains?: number;
  nodeAffinityPolicy?: string;
  nodeTaintsPolicy?: string;
}

/** Amounts by resource name: cpu in milli, everything else in whole units. */
export type Amounts = Record<string, number>;
export type Labels = Readonly<Record<string, string>>;

/** Which pods a term means, seen from the pod that has it; terms that say the same are the same object. */
export interface Term {
  /** All of it as text. */
  id: string;
  topologyKey: string;
  namespaces: ReadonlySet<string>;
  /** null: nobody. */
  selector: readonly LabelRequirement[] | null;
  /** null: no namespaces but those named. */
  namespaceSelector: readonly LabelRequirement[] | null;
}
export interface WeightedTerm {
  term: Term;
  weight: number;
}
/** Inter-pod affinity of a pod. */
export interface PodTerms {
  required: readonly Term[];
  requiredAnti: readonly Term[];
  preferred: readonly WeightedTerm[];
  preferredAnti: readonly WeightedTerm[];
}

/** A pod as plugins see it: what they would otherwise work out again and again. */
export interface PodInfo {
  pod: Pod;
  key: Key;
  uid: string;
  name: string;
  namespace: string;
  labels: Labels;
  priority: number;
  terminating: boolean;
  /** Since when it runs, or has been there. */
  startMs: number;
  /** What a node's filter compares, and what its sums count. */
  requests: Amounts;
  counted: Amounts;
  /** As counted, with upstream's defaults for containers without requests: what scores count of others, and of the pod itself. */
  nonZero: Amounts;
  scored: Amounts;
  /** `TCP/0.0.0.0/80` for each host port. */
  ports: readonly string[];
  terms: PodTerms;
  /** `<kind>/<name>` of the owner, '' without one. */
  owner: string;
}

/** A node in the snapshot. Sums rise and fall as pods are put on it and taken away. */
export interface NodeInfo {
  name: string;
  labels: Labels;
  taints: readonly Taint[];
  unschedulable: boolean;
  allocatable: Amounts;
  /** Size in bytes of each image by its names. */
  images: ReadonlyMap<string, number>;
  declared: readonly string[];
  requested: Amounts;
  nonZero: Amounts;
  pods: Map<Key, PodInfo>;
  /** How many pods hold each host port. */
  ports: Map<string, number>;
}

/** The cluster at one moment. */
export interface Snapshot {
  /** In the order in which they are looked at: zone by turns. */
  nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** Pods for which room is kept on a node; whether there are any at all. */
  nominated(node: string): readonly PodInfo[];
  readonly keepsRoom: boolean;
  namespaceLabels(namespace: string): Labels | undefined;
  /** Where pods are that have inter-pod terms, by term. */
  terms: Counts;
  /** Where the pods are of which a test holds. */
  matching(asking: Asking): Matches;
  /** On how many nodes an image is. */
  imageNodes(image: string): number;
  /** What Services and the pod's controller select it by; null where none does. */
  defaultSelector(pod: PodInfo): readonly LabelRequirement[] | null;
  storage: Storage;
}

/** Why a node is out, in upstream's words; `final`: no change of pods on the node would help, so preemption needn't try. */
export interface Reject {
  reasons: string[];
  final?: boolean;
}
/** Only these nodes may suit. */
export interface Only {
  only: ReadonlySet<string>;
}

/** What may make a plugin change its mind of a pod that it rejected. Absent events can't. Without `before` the thing is new, without `after` gone. */
export interface RetryOn {
  node?(pod: PodInfo, before: NodeInfo | undefined, after: NodeInfo | undefined): boolean;
  /** A pod with a node. */
  pod?(pod: PodInfo, before: PodInfo | undefined, after: PodInfo | undefined, snapshot: Snapshot): boolean;
  /** The rejected pod itself. */
  target?(before: PodInfo, after: PodInfo): boolean;
  /** A row of `persistentvolumeclaims`, `persistentvolumes`, `storageclasses.storage.k8s.io`, `csinodes.storage.k8s.io`. */
  storage?(pod: PodInfo, key: Key): boolean;
}

/** One scheduler plugin: pure functions over the snapshot. Adding one is a file and a line in plugins/index.ts. */
export interface SchedulerPlugin<S = unknown, T = unknown> {
  name: string;
  retryOn: RetryOn;
  /** Once per pod, what filter needs; a Reject ends the pod's turn. `null`: nothing to filter by. */
  prepare?(pod: PodInfo, snapshot: Snapshot): S | (S & Only) | Reject | null;
  filter?(state: S, node: NodeInfo, pod: PodInfo): Reject | undefined;
  /** A state that changed() may change without changing this one; absent where filter looks at the node alone. */
  copy?(state: S): S;
  /** Another pod is put on a node (1) or taken from it (-1) to see what then. */
  changed?(state: S, other: PodInfo, node: NodeInfo, by: 1 | -1): void;
  /** Of its score, where it has one. */
  weight?: number;
  /** Once per pod and the nodes that it fits on. `null`: no scores. */
  prepareScore?(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): T | null;
  /** 0 to 100, or any number when `normalize` says. */
  score?(state: T, node: NodeInfo): number;
  /** Scores are scaled to 0..100 over all nodes; 'reverse': the highest becomes 0. */
  normalize?: 'scale' | 'reverse';
  /** Or by a rule of its own. */
  normalized?(state: T, scores: readonly number[], nodes: readonly NodeInfo[]): number[];
}

export const isReject = (v: unknown): v is Reject =>
  typeof v === 'object' && v !== null && Array.isArray((v as Reject).reasons);
export const isOnly = (v: unknown): v is Only => typeof v === 'object' && v !== null && (v as Only).only instanceof Set;
export const SCORE_MAX = 100;
