import { invalid, required } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { validateLabelSelector } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, make, obj, orElse, str } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { templateWarnings, unsupportedStrategy } from './deployment.ts';
import { immutable } from './objectmeta.ts';
import { notNegative } from './podspec/checks.ts';
import { defaultTemplate, dropFromTemplate } from './podspec/defaults.ts';
import { validateTemplate } from './podspec/template.ts';
import { selectsAll, templateMatches } from './selector.ts';
import { alwaysRestarts, atMost100, intOrPercent, notDecremented, portion } from './workload.ts';

/** apps/v1 carries spec.templateGeneration of older versions in this annotation. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
const COUNTERS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
];

export const DAEMONSET: Behaviour = {
  counts: ['spec'],
  default(o) {
    // The conversion from apps/v1 and back always leaves the annotation.
    orElse(make(o.metadata, 'annotations'), TEMPLATE_GENERATION, '0');
    const spec = make(o, 'spec');
    const update = make(spec, 'updateStrategy');
    if (str(update.type) === '') update.type = 'RollingUpdate';
    if (update.type === 'RollingUpdate') {
      const rolling = make(update, 'rollingUpdate');
      orElse(rolling, 'maxUnavailable', 1);
      orElse(rolling, 'maxSurge', 0);
    }
    orElse(spec, 'revisionHistoryLimit', 10);
    defaultTemplate(make(spec, 'template'));
  },
  prepare(next, prev) {
    dropFromTemplate(next);
    const annotations = make(next.metadata, 'annotations');
    const given = Number(str(annotations[TEMPLATE_GENERATION]) || 0);
    if (!prev) {
      annotations[TEMPLATE_GENERATION] = String(Math.max(given, 1));
      return;
    }
    const old = Number(str(obj(prev.metadata.annotations)[TEMPLATE_GENERATION]) || 0);
    const changed = !equalJson(obj(next.spec).template, obj(prev.spec).template);
    annotations[TEMPLATE_GENERATION] = String(changed ? old + 1 : old);
  },
  validate(next, prev) {
    const spec = obj(next.spec);
    return [
      ...(prev ? immutable('spec.selector', spec.selector, obj(prev.spec).selector) : []),
      ...(has(spec.selector) ? validateLabelSelector('spec.selector', obj(spec.selector)) : []),
      ...templateMatches('spec.template', spec.selector, obj(obj(spec.template).metadata).labels),
      ...(has(spec.selector) && selectsAll(spec.selector)
        ? [invalid('spec.selector', spec.selector, 'empty selector is invalid for daemonset')]
        : []),
      ...validateTemplate('spec.template', spec.template),
      ...alwaysRestarts('spec.template', spec.template, 'DaemonSet'),
      ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...updateStrategy(obj(spec.updateStrategy)),
      ...notNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ];
  },
  warn: (next) => templateWarnings(obj(next.spec)),
  subresources: {
    status: statusOf('Namespaced', {
      validate: (next, prev) => [
        ...COUNTERS.flatMap((m) => notNegative(`status.${m}`, obj(next.status)[m])),
        ...notDecremented(obj(next.status), obj(prev.status)),
      ],
    }),
  },
};
function updateStrategy(s: JsonObject): Issue[] {
  const at = 'spec.updateStrategy';
  if (s.type === 'OnDelete') return [];
  if (s.type !== 'RollingUpdate') return [unsupportedStrategy(at, s, ['RollingUpdate', 'OnDelete'])];
  if (!has(s.rollingUpdate)) return [required(`${at}.rollingUpdate`)];
  const { maxUnavailable, maxSurge } = obj(s.rollingUpdate);
  const unavailable = `${at}.rollingUpdate.maxUnavailable`;
  const surge = `${at}.rollingUpdate.maxSurge`;
  const issues = [
    ...intOrPercent(unavailable, maxUnavailable),
    ...intOrPercent(surge, maxSurge),
    ...atMost100(unavailable, maxUnavailable),
    ...atMost100(surge, maxSurge),
  ];
  const some = portion(maxUnavailable) !== 0;
  const extra = portion(maxSurge) !== 0;
  if (some && extra) issues.push(invalid(surge, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  if (!some && !extra) issues.push(required(unavailable, 'cannot be 0 when maxSurge is 0'));
  return issues;
}
