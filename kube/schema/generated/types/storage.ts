// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { PersistentVolumeSpec, TopologySelectorTerm } from './core.ts';
import type { LabelSelector, ListMeta, TypeMeta } from './meta.ts';

export type CSIDriver = TypeMeta & {
  metadata: ObjectMeta;
  spec: CSIDriverSpec;
};

export type CSIDriverList = TypeMeta & {
  metadata: ListMeta;
  items: CSIDriver[];
};

export type CSIDriverSpec = {
  attachRequired?: boolean;
  podInfoOnMount?: boolean;
  volumeLifecycleModes?: string[];
  storageCapacity?: boolean;
  fsGroupPolicy?: string;
  tokenRequests?: TokenRequest[];
  requiresRepublish?: boolean;
  seLinuxMount?: boolean;
  nodeAllocatableUpdatePeriodSeconds?: number;
  serviceAccountTokenInSecrets?: boolean;
  preventPodSchedulingIfMissing?: boolean;
};

export type CSINode = TypeMeta & {
  metadata: ObjectMeta;
  spec: CSINodeSpec;
  status?: CSINodeStatus;
};

export type CSINodeDriver = {
  name: string;
  nodeID: string;
  topologyKeys?: string[];
  allocatable?: VolumeNodeResources;
};

export type CSINodeList = TypeMeta & {
  metadata: ListMeta;
  items: CSINode[];
};

export type CSINodeSpec = {
  drivers: CSINodeDriver[];
};

export type CSINodeStatus = {
  storageHealth?: StorageHealth[];
};

export type CSIStorageCapacity = TypeMeta & {
  metadata: ObjectMeta;
  nodeTopology?: LabelSelector;
  storageClassName: string;
  capacity?: string;
  maximumVolumeSize?: string;
};

export type CSIStorageCapacityList = TypeMeta & {
  metadata: ListMeta;
  items: CSIStorageCapacity[];
};

export type StorageClass = TypeMeta & {
  metadata: ObjectMeta;
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: 'Delete' | 'Recycle' | 'Retain';
  mountOptions?: string[];
  allowVolumeExpansion?: boolean;
  volumeBindingMode?: 'Immediate' | 'WaitForFirstConsumer';
  allowedTopologies?: TopologySelectorTerm[];
};

export type StorageClassList = TypeMeta & {
  metadata: ListMeta;
  items: StorageClass[];
};

export type StorageHealth = {
  name: string;
  healthConditions?: StorageHealthCondition[];
};

export type StorageHealthCondition = {
  status: 'StorageDegraded' | 'StorageUnreachable';
  reason: string;
  message?: string;
  accessMode?: 'ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOnce' | 'ReadWriteOncePod';
  volumeMode?: 'Block' | 'Filesystem';
  lastTransitionTime?: string;
};

export type TokenRequest = {
  audience: string;
  expirationSeconds?: number;
};

export type VolumeAttachment = TypeMeta & {
  metadata: ObjectMeta;
  spec: VolumeAttachmentSpec;
  status?: VolumeAttachmentStatus;
};

export type VolumeAttachmentList = TypeMeta & {
  metadata: ListMeta;
  items: VolumeAttachment[];
};

export type VolumeAttachmentSource = {
  persistentVolumeName?: string;
  inlineVolumeSpec?: PersistentVolumeSpec;
};

export type VolumeAttachmentSpec = {
  attacher: string;
  source: VolumeAttachmentSource;
  nodeName: string;
};

export type VolumeAttachmentStatus = {
  attached: boolean;
  attachmentMetadata?: Record<string, string>;
  attachError?: VolumeError;
  detachError?: VolumeError;
};

export type VolumeAttributesClass = TypeMeta & {
  metadata: ObjectMeta;
  driverName: string;
  parameters?: Record<string, string>;
};

export type VolumeAttributesClassList = TypeMeta & {
  metadata: ListMeta;
  items: VolumeAttributesClass[];
};

export type VolumeError = {
  time?: string;
  message?: string;
  errorCode?: number;
};

export type VolumeNodeResources = {
  count?: number;
};
