import { invalid, notSupported, required } from '../meta/issues.ts';
import type { Issue } from '../meta/status.ts';
import { has, make, obj, orElse, str } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { cronProblem } from './cron.ts';
import { templateWarnings } from './deployment.ts';
import { jobTemplateDefaults, validateJobSpec } from './job.ts';
import { notNegative, oneOf } from './podspec/checks.ts';
import { dropDisabled } from './podspec/defaults.ts';

/** A job's name gets 11 characters more. */
const MAX_NAME = 52;

export const CRONJOB: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    if (str(spec.concurrencyPolicy) === '') spec.concurrencyPolicy = 'Allow';
    orElse(spec, 'suspend', false);
    orElse(spec, 'successfulJobsHistoryLimit', 3);
    orElse(spec, 'failedJobsHistoryLimit', 1);
    jobTemplateDefaults(make(make(spec, 'jobTemplate'), 'spec'));
  },
  prepare(next) {
    const job = obj(obj(obj(next.spec).jobTemplate).spec);
    delete job.scheduling;
    dropDisabled(obj(obj(job.template).spec));
  },
  validate(next, prev) {
    const spec = obj(next.spec);
    const old = prev ? obj(prev.spec) : null;
    const schedule = str(spec.schedule);
    const issues: Issue[] = [];
    if (schedule === '') issues.push(required('spec.schedule'));
    else issues.push(...scheduleIssues(schedule, has(spec.timeZone), str(old?.schedule).includes('TZ')));
    issues.push(...notNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds));
    if (!old || old.timeZone !== spec.timeZone)
      issues.push(...timeZone('spec.timeZone', spec.timeZone as string | undefined));
    issues.push(...oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']));
    const job = obj(obj(spec.jobTemplate).spec);
    issues.push(...validateJobSpec('spec.jobTemplate.spec', job));
    if (has(job.selector)) {
      issues.push(invalid('spec.jobTemplate.spec.selector', job.selector, '`selector` will be auto-generated'));
    }
    if (job.manualSelector === true) {
      issues.push(notSupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false']));
    }
    for (const m of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit']) {
      issues.push(...notNegative(`spec.${m}`, spec[m]));
    }
    const name = str(next.metadata.name);
    if (!prev && name.length > MAX_NAME) {
      issues.push(invalid('metadata.name', name, `must be no more than ${MAX_NAME} characters`));
    }
    return issues;
  },
  warn(next) {
    const spec = obj(next.spec);
    const name = str(next.metadata.name);
    return [
      ...(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)
        ? []
        : [
            `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]`,
          ]),
      ...templateWarnings(obj(obj(spec.jobTemplate).spec), 'spec.jobTemplate.spec.template'),
    ];
  },
  deletion: { propagation: 'Background' },
  subresources: { status: statusOf('Namespaced') },
};
function scheduleIssues(schedule: string, zone: boolean, inherited: boolean): Issue[] {
  const problem = cronProblem(schedule);
  const issues = problem === '' ? [] : [invalid('spec.schedule', schedule, problem)];
  if (schedule.includes('TZ') && (!inherited || zone)) {
    const text = inherited
      ? 'cannot use both timeZone field and TZ or CRON_TZ in schedule'
      : 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    issues.push(invalid('spec.schedule', schedule, text));
  }
  return issues;
}
function timeZone(path: string, zone: string | undefined): Issue[] {
  if (zone === undefined || zone === null) return [];
  if (zone === '') return [invalid(path, zone, 'timeZone must be nil or non-empty string')];
  const unknown = invalid(path, zone, `unknown time zone ${zone}`);
  const odd = (p: string) => p === '.' || p === '..' || p.startsWith('-') || !/^[A-Za-z.\-_0-9+]+$/.test(p);
  if (zone.split('/').some(odd)) return [unknown];
  if (zone.toLowerCase() === 'local') {
    const text = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    return [invalid(path, zone, text), ...(zone === 'Local' ? [] : [unknown])];
  }
  return known(zone) ? [] : [unknown];
}
function known(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    // RangeError is how the platform says that it has no such zone.
    return false;
  }
}
