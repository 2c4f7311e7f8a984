// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { Condition, DeleteOptions, LabelSelector, ListMeta, TypeMeta } from './meta.ts';

export type Eviction = TypeMeta & {
  metadata: ObjectMeta;
  deleteOptions?: DeleteOptions;
};

export type PodDisruptionBudget = TypeMeta & {
  metadata: ObjectMeta;
  spec?: PodDisruptionBudgetSpec;
  status?: PodDisruptionBudgetStatus;
};

export type PodDisruptionBudgetList = TypeMeta & {
  metadata: ListMeta;
  items: PodDisruptionBudget[];
};

export type PodDisruptionBudgetSpec = {
  minAvailable?: number | string;
  selector?: LabelSelector;
  maxUnavailable?: number | string;
  unhealthyPodEvictionPolicy?: 'AlwaysAllow' | 'IfHealthyBudget';
};

export type PodDisruptionBudgetStatus = {
  observedGeneration?: number;
  disruptedPods?: Record<string, string>;
  disruptionsAllowed?: number;
  currentHealthy?: number;
  desiredHealthy?: number;
  expectedPods?: number;
  conditions?: Condition[];
};
