import { invalid, notSupported, quote, required, tooLong, tooMany } from '../meta/issues.ts';
import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import { dns1123Label, domainPrefixedPath, validateLabelSelector } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import { selectorRequirements, selects } from '../meta/selectors.ts';
import type { Issue } from '../meta/status.ts';
import { bool, copy, has, list, make, num, obj, objs, orElse, put, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { templateWarnings } from './deployment.ts';
import { immutable } from './objectmeta.ts';
import { MAX_EXIT_CODES, MAX_INT32, notNegative, qualified } from './podspec/checks.ts';
import { defaultTemplate, dropDisabled } from './podspec/defaults.ts';
import { validateTemplate } from './podspec/template.ts';

const UID_LABELS = ['controller-uid', 'batch.kubernetes.io/controller-uid'];
const NAME_LABELS = ['job-name', 'batch.kubernetes.io/job-name'];
const MAX_INDEXED = 100_000;
const MAX_MANAGED_BY = 63;
const MAX_RULES = 20;
const MAX_PATTERNS = 20;

/** Defaults of a Job's spec, also in a CronJob's template. */
function defaultJobSpec(spec: JsonObject): void {
  if (!has(spec.completions) && !has(spec.parallelism)) spec.completions = 1;
  orElse(spec, 'parallelism', 1);
  orElse(spec, 'backoffLimit', has(spec.backoffLimitPerIndex) ? MAX_INT32 : 6);
  orElse(spec, 'completionMode', 'NonIndexed');
  orElse(spec, 'suspend', false);
  orElse(spec, 'podReplacementPolicy', has(spec.podFailurePolicy) ? 'Failed' : 'TerminatingOrFailed');
  orElse(spec, 'manualSelector', false);
  jobTemplateDefaults(spec);
}
/** What a CronJob's template gets: the pod template and failure patterns. */
export function jobTemplateDefaults(spec: JsonObject): void {
  for (const rule of objs(obj(spec.podFailurePolicy).rules)) {
    for (const p of objs(rule.onPodConditions)) if (str(p.status) === '') p.status = 'True';
  }
  defaultTemplate(make(spec, 'template'));
}

export const JOB: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    defaultJobSpec(spec);
    const labels = obj(obj(spec.template).metadata).labels;
    if (has(labels) && Object.keys(texts(o.metadata.labels)).length === 0) o.metadata.labels = copy(texts(labels));
  },
  prepare(next, prev) {
    const spec = obj(next.spec);
    delete spec.scheduling;
    dropDisabled(obj(obj(spec.template).spec));
    if (!prev && !bool(spec.manualSelector)) generateSelector(next);
    // Upstream's default copies the template's labels where the job has none, the generated ones too.
    const labels = texts(obj(obj(spec.template).metadata).labels);
    if (!prev && Object.keys(texts(next.metadata.labels)).length === 0 && Object.keys(labels).length > 0) {
      next.metadata.labels = copy(labels);
    }
  },
  validate(next, prev) {
    const spec = obj(next.spec);
    const issues = prev ? [] : generated(next);
    issues.push(...validateJobSpec('spec', spec), ...selectorIssues(spec));
    if (prev) issues.push(...changes(spec, obj(prev.spec), prev));
    return [...issues, ...nameAllowsCompletions(next)];
  },
  warn: (next) => templateWarnings(obj(next.spec)),
  fields: { 'status.successful': (o) => String(obj(o.status).succeeded ?? 0) },
  deletion: { propagation: 'Orphan' },
  subresources: {
    status: statusOf('Namespaced', {
      validate: (next) => [
        ...['active', 'succeeded', 'failed', 'ready', 'terminating'].flatMap((m) =>
          notNegative(`status.${m}`, obj(next.status)[m]),
        ),
      ],
    }),
  },
};

/** The selector and labels that tell this job's pods from all others. */
function generateSelector(job: KubeObject): void {
  const spec = make(job, 'spec');
  const labels = make(make(make(spec, 'template'), 'metadata'), 'labels');
  for (const k of NAME_LABELS) orElse(labels, k, str(job.metadata.name));
  for (const k of UID_LABELS) orElse(labels, k, str(job.metadata.uid));
  orElse(make(make(spec, 'selector'), 'matchLabels'), 'batch.kubernetes.io/controller-uid', str(job.metadata.uid));
}
function generated(job: KubeObject): Issue[] {
  const spec = obj(job.spec);
  if (bool(spec.manualSelector) || !has(spec.selector)) return [];
  const labels = texts(obj(obj(spec.template).metadata).labels);
  const uid = str(job.metadata.uid);
  const name = str(job.metadata.name);
  const expected: [string, string][] = [
    ['controller-uid', uid],
    ['job-name', name],
    ['batch.kubernetes.io/controller-uid', uid],
    ['batch.kubernetes.io/job-name', name],
  ];
  const issues = expected.flatMap(([k, v]): Issue[] => {
    const at = `spec.template.metadata.labels[${k}]`;
    if (labels[k] === undefined) return [required(at, `must be '${v}'`)];
    return labels[k] === v ? [] : [invalid(at, labels, `must be '${v}'`)];
  });
  const parsed = selectorRequirements(spec.selector);
  if (parsed?.ok && !selects(spec.selector, Object.fromEntries(expected))) {
    issues.push(invalid('spec.selector', spec.selector, '`selector` not auto-generated'));
  }
  return issues;
}
function selectorIssues(spec: JsonObject): Issue[] {
  const issues: Issue[] = has(spec.selector)
    ? validateLabelSelector('spec.selector', obj(spec.selector))
    : [required('spec.selector')];
  const labels = obj(obj(spec.template).metadata).labels;
  const parsed = selectorRequirements(spec.selector);
  if (parsed === null || (parsed.ok && !selects(spec.selector, texts(labels)))) {
    const text = '`selector` does not match template `labels`';
    issues.push(invalid('spec.template.metadata.labels', labels ?? null, text));
  }
  return issues;
}
function nameAllowsCompletions(job: KubeObject): Issue[] {
  const spec = obj(job.spec);
  const completions = num(spec.completions);
  if (spec.completionMode !== 'Indexed' || completions <= 0) return [];
  const name = str(job.metadata.name);
  const hostname = `${name}-${completions - 1}`;
  return dns1123Label(hostname).length === 0
    ? []
    : [invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${hostname}`)];
}

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
];
/** A Job's spec without its selector, which a CronJob's template doesn't have. */
export function validateJobSpec(path: string, spec: JsonObject): Issue[] {
  const issues = COUNTS.flatMap((m) => notNegative(`${path}.${m}`, spec[m]));
  if (has(spec.maxFailedIndexes) && !has(spec.backoffLimitPerIndex)) {
    issues.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  if (has(spec.managedBy)) {
    issues.push(...domainPrefixedPath(`${path}.managedBy`, str(spec.managedBy)));
    if (str(spec.managedBy).length > MAX_MANAGED_BY) issues.push(tooLong(`${path}.managedBy`, MAX_MANAGED_BY));
  }
  issues.push(...completionMode(path, spec));
  if (has(spec.podFailurePolicy)) issues.push(...failurePolicy(`${path}.podFailurePolicy`, spec));
  if (has(spec.successPolicy) && spec.completionMode !== 'Indexed') {
    issues.push(invalid(`${path}.successPolicy`, spec.successPolicy, 'requires indexed completion mode'));
  }
  if (has(spec.podReplacementPolicy)) {
    const values = has(spec.podFailurePolicy) ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
    if (!values.includes(str(spec.podReplacementPolicy))) {
      issues.push(notSupported(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, values));
    }
  }
  issues.push(...validateTemplate(`${path}.template`, spec.template));
  const at = `${path}.template.spec.restartPolicy`;
  const policy = str(obj(obj(spec.template).spec).restartPolicy);
  if (policy === '' || policy === 'Always') issues.push(required(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never') issues.push(notSupported(at, policy, ['OnFailure', 'Never']));
  else if (has(spec.podFailurePolicy) && policy !== 'Never') {
    issues.push(invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  return issues;
}
function completionMode(path: string, spec: JsonObject): Issue[] {
  const mode = str(spec.completionMode);
  const issues: Issue[] = [];
  if (has(spec.completionMode) && mode !== 'NonIndexed' && mode !== 'Indexed') {
    issues.push(notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']));
  }
  if (mode === 'Indexed') {
    const max = num(spec.maxFailedIndexes);
    if (!has(spec.completions)) issues.push(required(`${path}.completions`, 'when completion mode is Indexed'));
    if (num(spec.parallelism) > MAX_INDEXED) {
      issues.push(
        invalid(
          `${path}.parallelism`,
          num(spec.parallelism),
          `must be less than or equal to ${MAX_INDEXED} when completion mode is Indexed`,
        ),
      );
    }
    if (has(spec.completions) && has(spec.maxFailedIndexes) && max > num(spec.completions)) {
      issues.push(invalid(`${path}.maxFailedIndexes`, max, 'must be less than or equal to completions'));
    }
    if (max > MAX_INDEXED) {
      issues.push(invalid(`${path}.maxFailedIndexes`, max, `must be less than or equal to ${MAX_INDEXED}`));
    }
  }
  if (!has(spec.completionMode) || mode === 'NonIndexed') {
    for (const m of ['backoffLimitPerIndex', 'maxFailedIndexes']) {
      if (has(spec[m])) issues.push(invalid(`${path}.${m}`, num(spec[m]), 'requires indexed completion mode'));
    }
  }
  return issues;
}
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const bracketed = (values: readonly string[]) => `valid values: [${values.map(quote).join(' ')}]`;
function closed(path: string, v: Json | undefined, values: readonly string[]): Issue[] {
  if (str(v) === '') return [required(path, bracketed(values))];
  return values.includes(str(v)) ? [] : [notSupported(path, str(v), values)];
}
function failurePolicy(path: string, spec: JsonObject): Issue[] {
  const rules = objs(obj(spec.podFailurePolicy).rules);
  const pod = obj(obj(spec.template).spec);
  const names = new Set([...objs(pod.containers), ...objs(pod.initContainers)].map((c) => str(c.name)));
  const issues: Issue[] = rules.length > MAX_RULES ? [tooMany(`${path}.rules`, rules.length, MAX_RULES)] : [];
  for (const [i, r] of rules.entries()) {
    const at = `${path}.rules[${i}]`;
    if (r.action === 'FailIndex') {
      if (!has(spec.backoffLimitPerIndex)) {
        issues.push(invalid(`${at}.action`, 'FailIndex', 'requires the backoffLimitPerIndex to be set'));
      }
    } else issues.push(...closed(`${at}.action`, r.action, ACTIONS));
    if (has(r.onExitCodes)) issues.push(...exitCodes(`${at}.onExitCodes`, obj(r.onExitCodes), names));
    const patterns = objs(r.onPodConditions);
    if (patterns.length > MAX_PATTERNS) {
      issues.push(tooMany(`${at}.onPodConditions`, patterns.length, MAX_PATTERNS));
    }
    for (const [j, p] of patterns.entries()) {
      const pattern = `${at}.onPodConditions[${j}]`;
      issues.push(
        ...qualified(`${pattern}.type`, str(p.type)),
        ...closed(`${pattern}.status`, p.status, ['False', 'True', 'Unknown']),
      );
    }
    if (has(r.onExitCodes) && patterns.length > 0) {
      issues.push(omitted(at, 'specifying both OnExitCodes and OnPodConditions is not supported'));
    }
    if (!has(r.onExitCodes) && patterns.length === 0) {
      issues.push(omitted(at, 'specifying one of OnExitCodes and OnPodConditions is required'));
    }
  }
  return issues;
}
/** An Invalid whose value is left out (field.OmitValueType). */
const omitted = (field: string, detail: string): Issue => ({
  type: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${detail}`,
});
function exitCodes(path: string, r: JsonObject, names: ReadonlySet<string>): Issue[] {
  const issues = closed(`${path}.operator`, r.operator, ['In', 'NotIn']);
  if (has(r.containerName) && !names.has(str(r.containerName))) {
    const text = 'must be one of the container or initContainer names in the pod template';
    issues.push(invalid(`${path}.containerName`, r.containerName, text));
  }
  const values = list(r.values).map((v) => num(v));
  if (values.length === 0) issues.push(invalid(`${path}.values`, r.values ?? null, 'at least one value is required'));
  else if (values.length > MAX_EXIT_CODES) {
    issues.push(tooMany(`${path}.values`, values.length, MAX_EXIT_CODES));
  }
  const seen = new Set<number>();
  for (const [i, v] of values.entries()) {
    if (r.operator === 'In' && v === 0) {
      issues.push(invalid(`${path}.values[${i}]`, 0, 'must not be 0 for the In operator'));
    }
    if (seen.has(v))
      issues.push({ type: 'FieldValueDuplicate', field: `${path}.values[${i}]`, message: `Duplicate value: ${v}` });
    seen.add(v);
  }
  if (values.some((v, i) => i > 0 && v < (values[i - 1] ?? v))) {
    issues.push(invalid(`${path}.values`, values, 'must be ordered'));
  }
  return issues;
}

function changes(spec: JsonObject, prev: JsonObject, old: KubeObject): Issue[] {
  const issues: Issue[] = [];
  if (spec.completionMode !== 'Indexed') {
    issues.push(...immutable('spec.completions', spec.completions, prev.completions));
  } else if (
    has(spec.completions) &&
    !equalJson(spec.completions, prev.completions) &&
    !equalJson(spec.completions, spec.parallelism)
  ) {
    issues.push(invalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism'));
  }
  issues.push(...immutable('spec.selector', spec.selector, prev.selector));
  issues.push(...immutable('spec.template', spec.template, allowed(spec, prev, old)));
  for (const m of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy']) {
    issues.push(...immutable(`spec.${m}`, spec[m], prev[m]));
  }
  return issues;
}
/** The old template with what a suspended job that hasn't started may change taken from the new one. */
function allowed(spec: JsonObject, prev: JsonObject, old: KubeObject): JsonObject {
  const template = copy(obj(prev.template));
  const suspended = bool(prev.suspend);
  const active = objs(obj(old.status).conditions).some((c) => c.type === 'Suspended' && c.status === 'True');
  const mutable = suspended && (active || !has(obj(old.status).startTime));
  if (!mutable) return template;
  const now = obj(spec.template);
  const from = obj(now.spec);
  const to = make(template, 'spec');
  for (const m of ['nodeSelector', 'tolerations', 'schedulingGates']) put(to, m, from[m]);
  const affinity = { ...obj(to.affinity) };
  put(affinity, 'nodeAffinity', obj(from.affinity).nodeAffinity);
  put(to, 'affinity', Object.keys(affinity).length === 0 ? undefined : affinity);
  const meta = make(template, 'metadata');
  for (const m of ['annotations', 'labels']) put(meta, m, obj(now.metadata)[m]);
  for (const sort of ['containers', 'initContainers']) {
    for (const [i, c] of objs(to[sort]).entries()) put(c, 'resources', objs(from[sort])[i]?.resources);
  }
  return template;
}
