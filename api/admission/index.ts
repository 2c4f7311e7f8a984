import type { Admission } from '../attributes.ts';
import { podFieldsCarriedOut } from './carriedout.ts';
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from './certificates.ts';
import { limitRanger } from './limitranger.ts';
import { namespaceLifecycle } from './namespacelifecycle.ts';
import { nodeRestriction } from './noderestriction.ts';
import { podResizeValidator } from './podresize.ts';
import { podSecurity } from './podsecurity.ts';
import { podTopologyLabels } from './podtopologylabels.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbacescalation.ts';
import { resourceQuota } from './resourcequota.ts';
import { runtimeClass } from './runtimeclass.ts';
import { serviceAccount } from './serviceaccount.ts';
import {
  defaultIngressClass,
  defaultStorageClass,
  persistentVolumeClaimResize,
  podGroupProtection,
  storageObjectInUseProtection,
} from './storage.ts';
import { defaultTolerationSeconds, taintNodesByCondition } from './tolerations.ts';

/**
 * Upstream's order (pkg/kubeapiserver/options/plugins.go), its default set and NodeRestriction. `mutate` runs for all of it, then
 * `validate` for all of it; a mutating webhook that changes the object makes `mutate` run once more for those that come before it
 * (reinvocation), which is why every `mutate` here gives the same result when it runs twice.
 * Still to come, at their places: NodeDeclaredFeatureValidator,
 * MutatingAdmissionPolicy, MutatingAdmissionWebhook, ValidatingAdmissionPolicy, ValidatingAdmissionWebhook.
 */
export const chain: readonly Admission[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  podGroupProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass,
  podTopologyLabels,
  podResizeValidator,
  podFieldsCarriedOut,
  rbacEscalation,
  // Last: what another refuses isn't charged.
  resourceQuota,
];
