import { invalid, required } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { byteLength, nameIsDnsSubdomain, qualifiedName } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, num, obj, put, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { immutable, validateObjectMeta } from './objectmeta.ts';
import { each } from './podspec/checks.ts';

/** kube-apiserver's --event-ttl. */
const TTL_MS = 3600_000;
const MAX_NOTE = 1024;
const MAX_ACTION = 128;
/** The core group's name of a field, and events.k8s.io's. */
const NAMES: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
];
const involved = (o: KubeObject): JsonObject => obj(o.involvedObject ?? o.regarding);
const value = (o: KubeObject, core: string, newer: string): Json | undefined => o[core] ?? o[newer];

export const EVENT: Behaviour = {
  createOnUpdate: true,
  ttl: () => TTL_MS,
  name: nameIsDnsSubdomain,
  convert(o, to) {
    const out: KubeObject = { ...o };
    for (const [core, newer] of NAMES) {
      const [from, into] = to.group === '' ? [newer, core] : [core, newer];
      const v = out[from];
      if (v === undefined) continue;
      delete out[from];
      put(out, into, v);
    }
    // Texts that core/v1 always writes are left out of the newer form when empty.
    const reporter =
      to.group === '' ? ['reportingComponent', 'reportingInstance'] : ['reportingController', 'reportingInstance'];
    for (const m of reporter) {
      if (to.group === '') out[m] = str(out[m]);
      else if (str(out[m]) === '') delete out[m];
    }
    return out;
  },
  validate(next, prev, c) {
    const newer = next.regarding !== undefined || next.note !== undefined || c.version === 'events';
    const issues = legacy(next);
    if (!newer) return issues;
    return prev ? [...issues, ...changes(next, prev)] : [...issues, ...strict(next)];
  },
  fields: {
    'involvedObject.kind': (o) => str(involved(o).kind),
    'involvedObject.namespace': (o) => str(involved(o).namespace),
    'involvedObject.name': (o) => str(involved(o).name),
    'involvedObject.uid': (o) => str(involved(o).uid),
    'involvedObject.apiVersion': (o) => str(involved(o).apiVersion),
    'involvedObject.resourceVersion': (o) => str(involved(o).resourceVersion),
    'involvedObject.fieldPath': (o) => str(involved(o).fieldPath),
    reason: (o) => str(o.reason),
    reportingComponent: (o) => str(value(o, 'reportingComponent', 'reportingController')),
    source: (o) =>
      str(obj(value(o, 'source', 'deprecatedSource')).component) ||
      str(value(o, 'reportingComponent', 'reportingController')),
    type: (o) => str(o.type),
  },
  fieldLabels: {
    'events.k8s.io': {
      reason: 'reason',
      'regarding.kind': 'involvedObject.kind',
      'regarding.namespace': 'involvedObject.namespace',
      'regarding.name': 'involvedObject.name',
      'regarding.uid': 'involvedObject.uid',
      'regarding.apiVersion': 'involvedObject.apiVersion',
      'regarding.resourceVersion': 'involvedObject.resourceVersion',
      'regarding.fieldPath': 'involvedObject.fieldPath',
      reportingController: 'reportingComponent',
      type: 'type',
    },
  },
};
/** Both groups: the object's namespace, and the reporter when there is an eventTime. */
function legacy(o: KubeObject): Issue[] {
  const issues: Issue[] = [];
  const own = str(o.metadata.namespace);
  const other = str(involved(o).namespace);
  if (other !== own && !(other === '' && own === 'default')) {
    issues.push(invalid('involvedObject.namespace', other, 'does not match event.namespace'));
  }
  if (!has(o.eventTime)) return issues;
  const controller = str(value(o, 'reportingComponent', 'reportingController'));
  const at =
    o.reportingComponent !== undefined || o.regarding === undefined ? 'reportingComponent' : 'reportingController';
  if (controller === '') issues.push(required(at));
  else issues.push(...each(at, controller, qualifiedName(controller)));
  if (str(o.reportingInstance) === '') issues.push(required('reportingInstance'));
  if (byteLength(str(o.reportingInstance)) > MAX_ACTION) {
    issues.push(invalid('reportingInstance', '', `can have at most ${MAX_ACTION} characters`));
  }
  for (const m of ['action', 'reason']) {
    if (str(o[m]) === '') issues.push(required(m));
    else if (byteLength(str(o[m])) > MAX_ACTION) {
      issues.push(invalid(m, '', `can have at most ${MAX_ACTION} characters`));
    }
  }
  if (byteLength(str(value(o, 'message', 'note'))) > MAX_NOTE) {
    issues.push(invalid('message', '', `can have at most ${MAX_NOTE} characters`));
  }
  return issues;
}
function series(o: KubeObject): Issue[] {
  if (!has(o.series)) return [];
  const s = obj(o.series);
  const issues: Issue[] = num(s.count) < 2 ? [invalid('series.count', '', 'should be at least 2')] : [];
  if (!has(s.lastObservedTime)) issues.push(required('series.lastObservedTime'));
  return issues;
}
function strict(o: KubeObject): Issue[] {
  const issues = [...validateObjectMeta(o.metadata, true, nameIsDnsSubdomain), ...series(o)];
  if (!has(o.eventTime)) issues.push(required('eventTime'));
  if (o.type !== 'Normal' && o.type !== 'Warning') {
    issues.push(invalid('type', '', `has invalid value: ${str(o.type)}`));
  }
  for (const [core, newer] of NAMES.slice(4)) {
    if (has(value(o, core, newer)) && value(o, core, newer) !== 0) issues.push(invalid(core, '', 'needs to be unset'));
  }
  const source = obj(value(o, 'source', 'deprecatedSource'));
  if (str(source.component) !== '' || str(source.host) !== '') issues.push(invalid('source', '', 'needs to be unset'));
  return issues;
}
function changes(next: KubeObject, prev: KubeObject): Issue[] {
  const kept = ['reason', 'type', 'eventTime', 'action', 'related', 'reportingInstance'];
  return [
    ...NAMES.flatMap(([core, newer]) => immutable(core, value(next, core, newer), value(prev, core, newer))),
    ...kept.flatMap((m) => immutable(m, next[m], prev[m])),
  ];
}
