import { forbidden, invalid, notSupported, required } from '../meta/issues.ts';
import type { Issue } from '../meta/status.ts';
import { copy, has, make, obj, orElse, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { templateWarnings } from './deployment.ts';
import { notNegative } from './podspec/checks.ts';
import { defaultTemplate, dropFromTemplate } from './podspec/defaults.ts';
import { validateTemplate } from './podspec/template.ts';
import { scaleOf } from './scale.ts';
import { validateReplicas } from './workload.ts';

export const REPLICATIONCONTROLLER: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    const labels = obj(obj(spec.template).metadata).labels;
    if (has(labels)) {
      if (Object.keys(texts(spec.selector)).length === 0) spec.selector = copy(labels);
      if (Object.keys(texts(o.metadata.labels)).length === 0) o.metadata.labels = copy(texts(labels));
    }
    orElse(spec, 'replicas', 1);
    if (has(spec.template)) defaultTemplate(spec.template);
  },
  prepare: dropFromTemplate,
  validate(next) {
    const spec = obj(next.spec);
    const issues: Issue[] = notNegative('spec.minReadySeconds', spec.minReadySeconds);
    const selector = texts(spec.selector);
    if (Object.keys(selector).length === 0) issues.push(required('spec.selector'));
    issues.push(...notNegative('spec.replicas', spec.replicas));
    if (!has(spec.template)) return [...issues, required('spec.template')];
    const labels = texts(obj(obj(spec.template).metadata).labels);
    if (Object.keys(selector).some((k) => labels[k] !== selector[k])) {
      issues.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
    }
    issues.push(...validateTemplate('spec.template', spec.template));
    const pod = obj(obj(spec.template).spec);
    if (pod.restartPolicy !== 'Always') {
      issues.push(notSupported('spec.template.spec.restartPolicy', str(pod.restartPolicy), ['Always']));
    }
    if (has(pod.activeDeadlineSeconds)) {
      const text = 'activeDeadlineSeconds in ReplicationController is not Supported';
      issues.push(forbidden('spec.template.spec.activeDeadlineSeconds', text));
    }
    return issues;
  },
  warn: (next) => (has(obj(next.spec).template) ? templateWarnings(obj(next.spec)) : []),
  deletion: { propagation: 'Orphan' },
  fields: { 'status.replicas': (o) => String(obj(o.status).replicas ?? 0) },
  subresources: {
    scale: scaleOf('map'),
    status: statusOf('Namespaced', {
      validate: (next) => validateReplicas(obj(next.status)),
    }),
  },
};
