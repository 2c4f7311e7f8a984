// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { LabelSelector, ListMeta, TypeMeta } from './meta.ts';

export type ContainerResourceMetricSource = {
  name: string;
  targetAverageUtilization?: number;
  targetAverageValue?: string;
  container: string;
};

export type ContainerResourceMetricStatus = {
  name: string;
  currentAverageUtilization?: number;
  currentAverageValue: string;
  container: string;
};

export type CrossVersionObjectReference = {
  kind: string;
  name: string;
  apiVersion?: string;
};

export type ExternalMetricSource = {
  metricName: string;
  metricSelector?: LabelSelector;
  targetValue?: string;
  targetAverageValue?: string;
};

export type ExternalMetricStatus = {
  metricName: string;
  metricSelector?: LabelSelector;
  currentValue: string;
  currentAverageValue?: string;
};

export type HorizontalPodAutoscaler = TypeMeta & {
  metadata: ObjectMeta;
  spec: HorizontalPodAutoscalerSpec;
  status?: HorizontalPodAutoscalerStatus;
};

export type HorizontalPodAutoscalerCondition = {
  type: string;
  status: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
  observedGeneration?: number;
};

export type HorizontalPodAutoscalerList = TypeMeta & {
  metadata: ListMeta;
  items: HorizontalPodAutoscaler[];
};

export type HorizontalPodAutoscalerSpec = {
  scaleTargetRef: CrossVersionObjectReference;
  minReplicas?: number;
  maxReplicas: number;
  targetCPUUtilizationPercentage?: number;
};

export type HorizontalPodAutoscalerStatus = {
  observedGeneration?: number;
  lastScaleTime?: string;
  currentReplicas: number;
  desiredReplicas: number;
  currentCPUUtilizationPercentage?: number;
};

export type MetricSpec = {
  type: 'ContainerResource' | 'External' | 'Object' | 'Pods' | 'Resource';
  object?: ObjectMetricSource;
  pods?: PodsMetricSource;
  resource?: ResourceMetricSource;
  containerResource?: ContainerResourceMetricSource;
  external?: ExternalMetricSource;
};

export type MetricStatus = {
  type: 'ContainerResource' | 'External' | 'Object' | 'Pods' | 'Resource';
  object?: ObjectMetricStatus;
  pods?: PodsMetricStatus;
  resource?: ResourceMetricStatus;
  containerResource?: ContainerResourceMetricStatus;
  external?: ExternalMetricStatus;
};

export type ObjectMetricSource = {
  target: CrossVersionObjectReference;
  metricName: string;
  targetValue: string;
  selector?: LabelSelector;
  averageValue?: string;
};

export type ObjectMetricStatus = {
  target: CrossVersionObjectReference;
  metricName: string;
  currentValue: string;
  selector?: LabelSelector;
  averageValue?: string;
};

export type PodsMetricSource = {
  metricName: string;
  targetAverageValue: string;
  selector?: LabelSelector;
};

export type PodsMetricStatus = {
  metricName: string;
  currentAverageValue: string;
  selector?: LabelSelector;
};

export type ResourceMetricSource = {
  name: string;
  targetAverageUtilization?: number;
  targetAverageValue?: string;
};

export type ResourceMetricStatus = {
  name: string;
  currentAverageUtilization?: number;
  currentAverageValue: string;
};

export type Scale = TypeMeta & {
  metadata: ObjectMeta;
  spec?: ScaleSpec;
  status?: ScaleStatus;
};

export type ScaleSpec = {
  replicas?: number;
};

export type ScaleStatus = {
  replicas: number;
  selector?: string;
};
