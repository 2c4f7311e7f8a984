import { make, obj } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { templateWarnings } from './deployment.ts';
import { immutable } from './objectmeta.ts';
import { notNegative } from './podspec/checks.ts';
import { defaultTemplate, dropFromTemplate } from './podspec/defaults.ts';
import { scaleOf } from './scale.ts';
import { defaultCounts, validateReplicas, validateSelectorAndTemplate } from './workload.ts';

export const REPLICASET: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    defaultCounts(spec, false);
    defaultTemplate(make(spec, 'template'));
  },
  prepare: dropFromTemplate,
  validate(next, prev) {
    const spec = obj(next.spec);
    return [
      ...notNegative('spec.replicas', spec.replicas),
      ...notNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...validateSelectorAndTemplate('spec', spec),
      ...(prev ? immutable('spec.selector', spec.selector, obj(prev.spec).selector) : []),
    ];
  },
  warn: (next) => templateWarnings(obj(next.spec)),
  fields: { 'status.replicas': (o) => String(obj(o.status).replicas ?? 0) },
  subresources: {
    scale: scaleOf('label'),
    status: statusOf('Namespaced', {
      validate: (next) => validateReplicas(obj(next.status)),
    }),
  },
};
