import type { Action } from '../parts.ts';
import { bindPod } from './binding.ts';
import { evictPod } from './eviction.ts';
import { reviewAccess, reviewLocalAccess, reviewRules, reviewSelf, reviewSelfAccess, reviewTokens } from './reviews.ts';
import { serviceAccountToken } from './token.ts';

/** What each POST that stores nothing of its own does: by groupResource, with the subresource where there is one. */
export const actions: Readonly<Record<string, Action>> = {
  bindings: bindPod,
  'pods/binding': bindPod,
  'pods/eviction': evictPod,
  'serviceaccounts/token': serviceAccountToken,
  'tokenreviews.authentication.k8s.io': reviewTokens,
  'selfsubjectreviews.authentication.k8s.io': reviewSelf,
  'subjectaccessreviews.authorization.k8s.io': reviewAccess,
  'selfsubjectaccessreviews.authorization.k8s.io': reviewSelfAccess,
  'localsubjectaccessreviews.authorization.k8s.io': reviewLocalAccess,
  'selfsubjectrulesreviews.authorization.k8s.io': reviewRules,
};
