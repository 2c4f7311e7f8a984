// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { Condition, GroupResource, ListMeta, TypeMeta } from './meta.ts';

export type StorageVersionMigration = TypeMeta & {
  metadata: ObjectMeta;
  spec?: StorageVersionMigrationSpec;
  status?: StorageVersionMigrationStatus;
};

export type StorageVersionMigrationList = TypeMeta & {
  metadata: ListMeta;
  items: StorageVersionMigration[];
};

export type StorageVersionMigrationSpec = {
  resource: GroupResource;
};

export type StorageVersionMigrationStatus = {
  conditions?: Condition[];
  resourceVersion?: string;
};
