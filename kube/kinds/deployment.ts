import { forbidden, invalid, required } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import type { Issue } from '../meta/status.ts';
import { has, make, num, obj, orElse, put, str } from './access.ts';
import { type Behaviour, onlyStatus, statusOf } from './behaviour.ts';
import { internalIssue, internalText, supported } from './internal.ts';
import { immutable } from './objectmeta.ts';
import { notNegative } from './podspec/checks.ts';
import { defaultTemplate, dropFromTemplate } from './podspec/defaults.ts';
import { podWarnings } from './podspec/warnings.ts';
import { scaleOf } from './scale.ts';
import {
  atMost100,
  defaultCounts,
  intOrPercent,
  notDecremented,
  portion,
  validateCounters,
  validateSelectorAndTemplate,
} from './workload.ts';

/** Warnings of a workload's template. */
export const templateWarnings = (spec: JsonObject, path = 'spec.template'): string[] =>
  podWarnings(path, obj(obj(spec.template).spec), obj(obj(spec.template).metadata));

export const DEPLOYMENT: Behaviour = {
  counts: ['spec', 'metadata.annotations'],
  default(o) {
    const spec = make(o, 'spec');
    defaultCounts(spec);
    orElse(spec, 'progressDeadlineSeconds', 600);
    const strategy = make(spec, 'strategy');
    if (str(strategy.type) === '') strategy.type = 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      const rolling = make(strategy, 'rollingUpdate');
      orElse(rolling, 'maxUnavailable', '25%');
      orElse(rolling, 'maxSurge', '25%');
    }
    defaultTemplate(make(spec, 'template'));
  },
  prepare: dropFromTemplate,
  validate(next, prev) {
    const spec = obj(next.spec);
    return [
      ...notNegative('spec.replicas', spec.replicas),
      ...validateSelectorAndTemplate('spec', spec),
      ...strategyIssues(obj(spec.strategy)),
      ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
      ...progress(spec),
      ...(prev ? immutable('spec.selector', spec.selector, obj(prev.spec).selector) : []),
    ];
  },
  warn: (next) => templateWarnings(obj(next.spec)),
  subresources: {
    scale: scaleOf('label'),
    status: statusOf('Namespaced', {
      prepare(next, prev) {
        onlyStatus(next, prev);
        put(next.metadata, 'labels', prev.metadata.labels);
      },
      validate: (next, prev) => [
        ...validateCounters(
          obj(next.status),
          [
            'observedGeneration',
            'replicas',
            'updatedReplicas',
            'readyReplicas',
            'availableReplicas',
            'unavailableReplicas',
            'terminatingReplicas',
            'collisionCount',
          ],
          ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
          'readyReplicas',
        ),
        ...notDecremented(obj(next.status), obj(prev.status)),
      ],
    }),
  },
};
/** An update strategy of a type that isn't one. */
export const unsupportedStrategy = (path: string, s: JsonObject, values: readonly string[]): Issue =>
  internalIssue('FieldValueNotSupported', 'Unsupported value', path, strategyText(s), supported(values));
const ROLLING = [
  ['maxUnavailable', '0'],
  ['maxSurge', '0'],
] as const;
const strategyText = (s: JsonObject): string =>
  internalText(s, [
    ['type', '""'],
    ['rollingUpdate', 'null', 'RollingUpdate', ROLLING],
  ]);
function strategyIssues(s: JsonObject): Issue[] {
  if (s.type === 'Recreate') {
    return has(s.rollingUpdate)
      ? [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  }
  if (s.type !== 'RollingUpdate') return [unsupportedStrategy('spec.strategy', s, ['Recreate', 'RollingUpdate'])];
  if (!has(s.rollingUpdate)) {
    return [required('spec.strategy.rollingUpdate', 'this should be defaulted and never be nil')];
  }
  const { maxUnavailable, maxSurge } = obj(s.rollingUpdate);
  const at = 'spec.strategy.rollingUpdate';
  const issues = [...intOrPercent(`${at}.maxUnavailable`, maxUnavailable), ...intOrPercent(`${at}.maxSurge`, maxSurge)];
  if (portion(maxUnavailable) === 0 && portion(maxSurge) === 0) {
    issues.push(invalid(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  return [...issues, ...atMost100(`${at}.maxUnavailable`, maxUnavailable)];
}
function progress(spec: JsonObject): Issue[] {
  if (!has(spec.progressDeadlineSeconds)) return [];
  const at = 'spec.progressDeadlineSeconds';
  const seconds = num(spec.progressDeadlineSeconds);
  const issues = notNegative(at, seconds);
  if (seconds <= num(spec.minReadySeconds)) issues.push(invalid(at, seconds, 'must be greater than minReadySeconds'));
  return issues;
}
