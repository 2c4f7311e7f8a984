import { validateLabelSelector } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, obj } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { internalIssue, internalText } from './internal.ts';
import { validateConditions } from './objectmeta.ts';
import { notNegative, oneOf } from './podspec/checks.ts';
import { atMost100, intOrPercent } from './workload.ts';

const SPEC = [
  ['minAvailable', 'null'],
  ['selector', 'null'],
  ['maxUnavailable', 'null'],
  ['unhealthyPodEvictionPolicy', 'null'],
] as const;
const COUNTERS = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'];

export const PODDISRUPTIONBUDGET: Behaviour = {
  counts: ['spec'],
  needsVersion: true,
  validate(next) {
    const spec = obj(next.spec);
    const issues: Issue[] = [];
    if (has(spec.minAvailable) && has(spec.maxUnavailable)) {
      issues.push(
        internalIssue(
          'FieldValueInvalid',
          'Invalid value',
          'spec',
          internalText(spec, SPEC),
          'minAvailable and maxUnavailable cannot be both set',
        ),
      );
    }
    for (const m of ['minAvailable', 'maxUnavailable']) {
      if (has(spec[m])) issues.push(...intOrPercent(`spec.${m}`, spec[m]), ...atMost100(`spec.${m}`, spec[m]));
    }
    if (has(spec.selector)) issues.push(...validateLabelSelector('spec.selector', obj(spec.selector)));
    const policy = 'spec.unhealthyPodEvictionPolicy';
    if (has(spec.unhealthyPodEvictionPolicy)) {
      issues.push(...oneOf(policy, spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget'], null));
    }
    return issues;
  },
  subresources: {
    status: statusOf('Namespaced', {
      validate: (next) => [
        ...validateConditions('status.conditions', obj(next.status).conditions),
        ...COUNTERS.flatMap((m) => notNegative(`status.${m}`, obj(next.status)[m])),
      ],
    }),
  },
};
