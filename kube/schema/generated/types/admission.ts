// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { Json } from '../../../meta/json.ts';
import type { UserInfo } from './authentication.ts';
import type { GroupVersionKind, GroupVersionResource, Status, TypeMeta } from './meta.ts';

export type AdmissionRequest = {
  uid?: string;
  kind?: GroupVersionKind;
  resource?: GroupVersionResource;
  subResource?: string;
  requestKind?: GroupVersionKind;
  requestResource?: GroupVersionResource;
  requestSubResource?: string;
  name?: string;
  namespace?: string;
  operation?: string;
  userInfo?: UserInfo;
  object?: Json;
  oldObject?: Json;
  dryRun?: boolean;
  options?: Json;
};

export type AdmissionResponse = {
  uid?: string;
  allowed?: boolean;
  status?: Status;
  patch?: string;
  patchType?: string;
  auditAnnotations?: Record<string, string>;
  warnings?: string[];
};

export type AdmissionReview = TypeMeta & {
  request?: AdmissionRequest;
  response?: AdmissionResponse;
};
