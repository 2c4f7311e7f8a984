import type { Column } from '../../codec/table.ts';
import type { Json } from '../../meta/json.ts';
import { type KubeObject, parseApiVersion } from '../../meta/object.ts';
import { selectorRequirements } from '../../meta/selectors.ts';
import { timeToMillis } from '../../meta/time.ts';
import { bool, has, list, num, obj, objs, str } from '../access.ts';
import {
  age,
  containers,
  flag,
  formatLabels,
  formatSelector,
  humanDuration,
  integer,
  name,
  or,
  since,
  spec,
  status,
  text,
} from './column.ts';

const template = (o: KubeObject) => spec(o).template;
const selector: Column = text('Selector', (o) => formatSelector(spec(o).selector), true);
const jobTemplate = (o: KubeObject) => obj(obj(spec(o).jobTemplate).spec);
/** True, False or <unset>: what upstream prints of a *bool. */
const boolText = (v: Json | undefined) => (has(v) ? (bool(v) ? 'True' : 'False') : '<unset>');

/** Columns of apps, batch, autoscaling and policy by groupResource. */
export const APPS: Readonly<Record<string, readonly Column[]>> = {
  'deployments.apps': [
    name(),
    text('Ready', (o) => `${num(status(o).readyReplicas)}/${num(spec(o).replicas)}`),
    text('Up-to-date', (o) => num(status(o).updatedReplicas)),
    text('Available', (o) => num(status(o).availableReplicas)),
    age,
    ...containers(template),
    text('Selector', deploymentSelector, true),
  ],
  'replicasets.apps': [
    name(),
    integer('Desired', (o) => num(spec(o).replicas)),
    integer('Current', (o) => num(status(o).replicas)),
    integer('Ready', (o) => num(status(o).readyReplicas)),
    age,
    ...containers(template),
    selector,
  ],
  'statefulsets.apps': [
    name(),
    text('Ready', (o) => `${num(status(o).readyReplicas)}/${num(spec(o).replicas)}`),
    age,
    ...containers(template),
  ],
  'daemonsets.apps': [
    name(),
    integer('Desired', (o) => num(status(o).desiredNumberScheduled)),
    integer('Current', (o) => num(status(o).currentNumberScheduled)),
    integer('Ready', (o) => num(status(o).numberReady)),
    integer('Up-to-date', (o) => num(status(o).updatedNumberScheduled)),
    integer('Available', (o) => num(status(o).numberAvailable)),
    text('Node Selector', (o) => formatLabels(obj(obj(spec(o).template).spec).nodeSelector)),
    age,
    ...containers(template),
    selector,
  ],
  'controllerrevisions.apps': [
    name(),
    text('Controller', controllerName),
    text('Revision', (o) => (typeof o.revision === 'bigint' ? o.revision : num(o.revision))),
    age,
  ],
  'jobs.batch': [
    name(),
    text('Status', jobStatus),
    text('Completions', jobCompletions),
    text('Duration', jobDuration),
    age,
    ...containers(template),
    selector,
  ],
  'cronjobs.batch': [
    name(),
    text('Schedule', (o) => str(spec(o).schedule)),
    text('Timezone', (o) => or(spec(o).timeZone, '<none>')),
    flag('Suspend', (o) => boolText(spec(o).suspend)),
    integer('Active', (o) => list(status(o).active).length),
    text('Last Schedule', (o, now) =>
      has(status(o).lastScheduleTime) ? since(status(o).lastScheduleTime, now) : '<none>',
    ),
    age,
    ...containers((o) => jobTemplate(o).template),
    text('Selector', (o) => formatSelector(jobTemplate(o).selector), true),
  ],
  'horizontalpodautoscalers.autoscaling': [
    name(),
    text('Reference', (o) => `${str(obj(spec(o).scaleTargetRef).kind)}/${str(obj(spec(o).scaleTargetRef).name)}`),
    text('Targets', hpaTargets),
    text('MinPods', (o) => or(spec(o).minReplicas, '<unset>')),
    text('MaxPods', (o) => num(spec(o).maxReplicas)),
    text('Replicas', (o) => num(status(o).currentReplicas)),
    age,
  ],
  'poddisruptionbudgets.policy': [
    name(),
    text('Min Available', (o) => or(spec(o).minAvailable, 'N/A')),
    text('Max Unavailable', (o) => or(spec(o).maxUnavailable, 'N/A')),
    integer('Allowed Disruptions', (o) => num(status(o).disruptionsAllowed)),
    age,
  ],
};

/** A Deployment's selector prints bare: '' when it selects everything, <invalid> when it is malformed. */
function deploymentSelector(o: KubeObject): string {
  const parsed = selectorRequirements(spec(o).selector);
  if (parsed !== null && !parsed.ok) return '<invalid>';
  const s = formatSelector(spec(o).selector);
  return s === '<none>' ? '' : s;
}
function controllerName(o: KubeObject): string {
  const owner = (o.metadata.ownerReferences ?? []).find((r) => r.controller === true);
  if (!owner) return '<none>';
  const group = parseApiVersion(owner.apiVersion)?.group ?? '';
  return `${(group === '' ? owner.kind : `${owner.kind}.${group}`).toLowerCase()}/${owner.name}`;
}
function jobStatus(o: KubeObject): string {
  const is = (type: string) => objs(status(o).conditions).find((c) => c.type === type)?.status === 'True';
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (has(o.metadata.deletionTimestamp)) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(is) ?? 'Running';
}
function jobCompletions(o: KubeObject): string {
  const succeeded = num(status(o).succeeded);
  if (has(spec(o).completions)) return `${succeeded}/${num(spec(o).completions)}`;
  const parallelism = num(spec(o).parallelism);
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}
function jobDuration(o: KubeObject, now: number): string {
  const start = str(status(o).startTime);
  if (start === '') return '';
  const end = str(status(o).completionTime);
  return humanDuration((end === '' ? now : timeToMillis(end)) - timeToMillis(start));
}

const MAX_METRICS = 2;
function hpaTargets(o: KubeObject): string {
  const metrics = objs(spec(o).metrics);
  const cpu = spec(o).targetCPUUtilizationPercentage;
  if (metrics.length === 0 && has(cpu)) {
    const current = status(o).currentCPUUtilizationPercentage;
    return `cpu: ${has(current) ? `${num(current)}%` : '<unknown>'}/${num(cpu)}%`;
  }
  if (metrics.length === 0) return '<none>';
  const statuses = objs(status(o).currentMetrics);
  const shown = metrics.map((m, i) => hpaTarget(m, obj(statuses[i])));
  const text = shown.slice(0, MAX_METRICS).join(', ');
  return shown.length > MAX_METRICS ? `${text} + ${shown.length - MAX_METRICS} more...` : text;
}
const SOURCES: Readonly<Record<string, string>> = {
  External: 'external',
  Pods: 'pods',
  Object: 'object',
  Resource: 'resource',
  ContainerResource: 'containerResource',
};
function hpaTarget(metric: ReturnType<typeof obj>, current: ReturnType<typeof obj>): string {
  const member = SOURCES[str(metric.type)];
  if (member === undefined) return '<unknown type>';
  const source = obj(metric[member]);
  const target = obj(source.target);
  const now = obj(obj(current[member]).current);
  const known = has(current[member]);
  if (member === 'resource' || member === 'containerResource') {
    const resource = str(source.name);
    if (has(target.averageValue)) {
      return `${resource}: ${known ? or(now.averageValue, '<nil>') : '<unknown>'}/${str(target.averageValue)}`;
    }
    const used = has(now.averageUtilization) ? `${num(now.averageUtilization)}%` : '<unknown>';
    return `${resource}: ${used}/${has(target.averageUtilization) ? `${num(target.averageUtilization)}%` : '<auto>'}`;
  }
  if (member === 'pods')
    return `${known ? or(now.averageValue, '<nil>') : '<unknown>'}/${or(target.averageValue, '<nil>')}`;
  if (has(target.averageValue)) return `${or(now.averageValue, '<unknown>')}/${str(target.averageValue)} (avg)`;
  return `${known ? or(now.value, '<nil>') : '<unknown>'}/${or(target.value, '<nil>')}`;
}
