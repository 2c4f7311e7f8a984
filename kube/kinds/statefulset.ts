import { invalid, notSupported, required } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import { nameIsDnsLabel } from '../meta/names.ts';
import { selectorRequirements } from '../meta/selectors.ts';
import type { Issue } from '../meta/status.ts';
import { copy, has, list, make, obj, objs, orElse, str } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { validateClaimSpec } from './claimspec.ts';
import { templateWarnings } from './deployment.ts';
import { internalIssue, internalText } from './internal.ts';
import { immutable } from './objectmeta.ts';
import { label, notNegative } from './podspec/checks.ts';
import { defaultTemplate, dropFromTemplate } from './podspec/defaults.ts';
import { validateTemplate } from './podspec/template.ts';
import { scaleOf } from './scale.ts';
import { templateMatches, validateWorkloadSelector } from './selector.ts';
import {
  alwaysRestarts,
  atMost100,
  defaultCounts,
  intOrPercent,
  notDecremented,
  portion,
  validateCounters,
} from './workload.ts';

export const STATEFULSET: Behaviour = {
  name: nameIsDnsLabel,
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    if (str(spec.podManagementPolicy) === '') spec.podManagementPolicy = 'OrderedReady';
    const update = make(spec, 'updateStrategy');
    if (str(update.type) === '') {
      update.type = 'RollingUpdate';
      make(update, 'rollingUpdate');
    }
    if (update.type === 'RollingUpdate' && has(update.rollingUpdate)) {
      orElse(obj(update.rollingUpdate), 'partition', 0);
      orElse(obj(update.rollingUpdate), 'maxUnavailable', 1);
    }
    const retention = make(spec, 'persistentVolumeClaimRetentionPolicy');
    for (const m of ['whenDeleted', 'whenScaled']) if (str(retention[m]) === '') retention[m] = 'Retain';
    defaultCounts(spec);
    for (const claim of objs(spec.volumeClaimTemplates)) {
      if (str(claim.kind) === '') claim.kind = 'PersistentVolumeClaim';
      if (str(claim.apiVersion) === '') claim.apiVersion = 'v1';
      orElse(make(claim, 'spec'), 'volumeMode', 'Filesystem');
      orElse(make(claim, 'status'), 'phase', 'Pending');
    }
    defaultTemplate(make(spec, 'template'));
  },
  prepare: dropFromTemplate,
  validate(next, prev) {
    const spec = obj(next.spec);
    return [...specIssues(spec), ...(prev ? changes(spec, obj(prev.spec)) : [])];
  },
  warn: (next) => templateWarnings(obj(next.spec)),
  subresources: {
    scale: scaleOf('label'),
    status: statusOf('Namespaced', {
      validate: (next, prev) => [
        ...validateCounters(
          obj(next.status),
          [
            'replicas',
            'readyReplicas',
            'currentReplicas',
            'updatedReplicas',
            'availableReplicas',
            'observedGeneration',
            'collisionCount',
          ],
          ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
          'status.readyReplicas',
        ),
        ...notDecremented(obj(next.status), obj(prev.status)),
      ],
    }),
  },
};

function specIssues(spec: JsonObject): Issue[] {
  const policy = str(spec.podManagementPolicy);
  const issues: Issue[] = [];
  if (policy === '') issues.push(required('spec.podManagementPolicy'));
  else if (policy !== 'OrderedReady' && policy !== 'Parallel') {
    issues.push(invalid('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'"));
  }
  issues.push(...updateStrategy(obj(spec.updateStrategy)));
  const retention = obj(spec.persistentVolumeClaimRetentionPolicy);
  for (const m of ['whenDeleted', 'whenScaled']) {
    if (has(spec.persistentVolumeClaimRetentionPolicy) && retention[m] !== 'Retain' && retention[m] !== 'Delete') {
      issues.push(
        notSupported(`spec.persistentVolumeClaimRetentionPolicy.${m}`, str(retention[m]), ['Retain', 'Delete']),
      );
    }
  }
  issues.push(
    ...objs(spec.volumeClaimTemplates).flatMap((c, i) =>
      validateClaimSpec(`spec.volumeClaimTemplates[${i}].spec`, obj(c.spec)),
    ),
    ...notNegative('spec.replicas', spec.replicas),
    ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...notNegative('spec.ordinals.start', obj(spec.ordinals).start),
    ...(str(spec.serviceName) === '' ? [] : label('spec.serviceName', str(spec.serviceName))),
    ...validateWorkloadSelector('spec.selector', spec.selector, 'empty selector is invalid for statefulset'),
  );
  const parsed = selectorRequirements(spec.selector);
  if (parsed !== null && !parsed.ok) issues.push(invalid('spec.selector', spec.selector, ''));
  else {
    const labels = obj(obj(spec.template).metadata).labels;
    issues.push(
      ...templateMatches('spec.template', spec.selector, labels),
      ...validateTemplate('spec.template', judged(spec)),
    );
  }
  return [...issues, ...alwaysRestarts('spec.template', spec.template, 'StatefulSet')];
}
/** The template as its pods will have it: hostname and subdomain are set for them, and each claim template is a volume. */
function judged(spec: JsonObject): JsonObject {
  const template = copy(obj(spec.template));
  const pod = make(template, 'spec');
  delete pod.hostname;
  delete pod.subdomain;
  const claims = objs(spec.volumeClaimTemplates).map((c) => str(obj(c.metadata).name));
  if (claims.length > 0) {
    const own = list(pod.volumes).filter((v) => !claims.includes(str(obj(v).name)));
    pod.volumes = [
      ...[...new Set(claims)].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
      ...own,
    ];
  }
  return template;
}
const ROLLING = [
  ['partition', '0'],
  ['maxUnavailable', 'null'],
] as const;
function updateStrategy(s: JsonObject): Issue[] {
  const at = 'spec.updateStrategy';
  if (str(s.type) === '') return [required(at)];
  if (s.type === 'OnDelete') {
    return has(s.rollingUpdate)
      ? [
          internalIssue(
            'FieldValueInvalid',
            'Invalid value',
            `${at}.rollingUpdate`,
            internalText(obj(s.rollingUpdate), ROLLING),
            "only allowed for updateStrategy 'RollingUpdate'",
          ),
        ]
      : [];
  }
  if (s.type !== 'RollingUpdate') {
    const text = internalText(s, [
      ['type', '""'],
      ['rollingUpdate', 'null', 'RollingUpdate', ROLLING],
    ]);
    return [internalIssue('FieldValueInvalid', 'Invalid value', at, text, "must be 'RollingUpdate' or 'OnDelete'")];
  }
  if (!has(s.rollingUpdate)) return [];
  const { partition, maxUnavailable } = obj(s.rollingUpdate);
  const max = `${at}.rollingUpdate.maxUnavailable`;
  const issues = notNegative(`${at}.rollingUpdate.partition`, partition);
  if (has(maxUnavailable)) {
    issues.push(...intOrPercent(max, maxUnavailable));
    if (portion(maxUnavailable) === 0) issues.push(invalid(max, maxUnavailable, 'cannot be 0'));
    issues.push(...atMost100(max, maxUnavailable));
  }
  return issues;
}
function changes(spec: JsonObject, prev: JsonObject): Issue[] {
  return ['selector', 'volumeClaimTemplates', 'serviceName', 'podManagementPolicy'].flatMap((m) =>
    immutable(`spec.${m}`, spec[m], prev[m]),
  );
}
