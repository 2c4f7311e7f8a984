import { forbidden, index, invalid, notSupported, required } from '../meta/issues.ts';
import { equalJson, isObject, type Json, type JsonObject } from '../meta/json.ts';
import { dns1123Label, nameIsDnsSubdomain } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { formatTime } from '../meta/time.ts';
import { copy, has, list, make, num, obj, objs, put, str, texts } from './access.ts';
import { type Behaviour, onlyStatus, updateMeta } from './behaviour.ts';
import { POD_COLUMNS } from './columns/pod.ts';
import { keepMetaForStatus, validateObjectMeta } from './objectmeta.ts';
import { MIRROR, podFacts } from './podfacts.ts';
import { validatePodAnnotations, validatePodAnnotationUpdate, validateProfilesMatch } from './podspec/annotations.ts';
import { MAX_INT32, named, notNegative } from './podspec/checks.ts';
import { paddedImage, validateContainerUpdates } from './podspec/containers.ts';
import { defaultPod, dropDisabled } from './podspec/defaults.ts';
import { podQOS } from './podspec/qos.ts';
import { keepResizable, validateResize } from './podspec/resize.ts';
import {
  onlyAddedSelector,
  onlyAddedTolerations,
  onlyDeletedGates,
  onlyNarrowedAffinity,
} from './podspec/scheduling.ts';
import { defaultPodResources, validatePodSpec } from './podspec/spec.ts';
import { podWarnings } from './podspec/warnings.ts';
import { keepStatusMembers, validatePodStatus } from './podstatus.ts';

const spec = (o: KubeObject | JsonObject): JsonObject => obj(o.spec as Json);
const status = (o: KubeObject): JsonObject => obj(o.status);

/** Pod: pkg/registry/core/pod/strategy.go and pkg/apis/core/validation. */
export const POD: Behaviour = {
  name: nameIsDnsSubdomain,
  counts: ['spec'],
  default: (o) => {
    defaultPod(o);
    defaultIPs(obj(o.status));
  },
  prepare(next, prev, c) {
    dropDisabled(spec(next));
    if (prev && !has(spec(next).resources) && has(spec(prev).resources)) {
      make(next, 'spec').resources = copy(spec(prev).resources);
    }
    if (prev) return;
    next.status = { phase: 'Pending' };
    if (list(spec(next).schedulingGates).length > 0) {
      make(next, 'status').conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          lastProbeTime: null,
          lastTransitionTime: formatTime(c.now),
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ];
    }
    applyLabelKeys(next);
    defaultPodResources(make(next, 'spec'));
    make(next, 'status').qosClass = podQOS(spec(next));
  },
  validate(next, prev) {
    if (!prev) return [...metadataAndSpec(next), ...createOnly(next)];
    return [
      ...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain),
      ...metadataAndSpec(next),
      ...updateOnly(next, prev),
    ];
  },
  warn(next, prev) {
    if (prev) return [];
    const name = str(next.metadata.name);
    const problems = dns1123Label(name);
    return [
      ...(problems.length > 0
        ? [
            `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`,
          ]
        : []),
      ...podWarnings('', spec(next), next.metadata),
    ];
  },
  fields: {
    'spec.nodeName': (o) => str(spec(o).nodeName),
    'spec.restartPolicy': (o) => str(spec(o).restartPolicy),
    'spec.schedulerName': (o) => str(spec(o).schedulerName),
    'spec.serviceAccountName': (o) => str(spec(o).serviceAccountName),
    'spec.hostNetwork': (o) => String(spec(o).hostNetwork === true),
    'status.phase': (o) => str(status(o).phase),
    'status.podIP': (o) => str(obj(list(status(o).podIPs)[0]).ip),
    'status.nominatedNodeName': (o) => str(status(o).nominatedNodeName),
  },
  columns: POD_COLUMNS,
  rowConditions: (o) => {
    const phase = str(status(o).phase);
    if (phase !== 'Succeeded' && phase !== 'Failed') return undefined;
    const message = phase === 'Succeeded' ? 'The pod has completed successfully.' : 'The pod failed.';
    return [{ type: 'Completed', status: 'True', reason: phase, message }];
  },
  deletion: {
    grace(o, asked) {
      const own = asked ?? num(spec(o).terminationGracePeriodSeconds);
      if (str(spec(o).nodeName) === '') return 0;
      if (status(o).phase === 'Failed' || status(o).phase === 'Succeeded') return 0;
      return own < 0 ? 1 : own;
    },
  },
  facts: podFacts,
  subresources: {
    status: {
      is: 'view',
      verbs: ['get', 'update', 'patch'],
      prepare(next, prev) {
        onlyStatus(next, prev);
        delete next.metadata.deletionTimestamp;
        put(next.metadata, 'ownerReferences', prev.metadata.ownerReferences);
        if (has(prev.metadata.deletionTimestamp))
          next.metadata.deletionTimestamp = str(prev.metadata.deletionTimestamp);
        keepStatusMembers(make(next, 'status'), status(prev));
      },
      validate: (next, prev) => [...updateMeta(next, prev, true), ...validatePodStatus(next, prev)],
    },
    ephemeralcontainers: {
      is: 'view',
      verbs: ['get', 'update', 'patch'],
      prepare(next, prev) {
        const added = spec(next).ephemeralContainers;
        next.spec = copy(spec(prev));
        next.status = prev.status;
        keepMetaForStatus(next, prev);
        put(make(next, 'spec'), 'ephemeralContainers', added);
        bump(next, prev);
      },
      validate: (next, prev) => [
        ...updateMeta(next, prev, true),
        ...metadataFirst(next),
        ...ephemeralUpdate(next, prev),
      ],
    },
    resize: {
      is: 'view',
      verbs: ['get', 'update', 'patch'],
      prepare(next, prev) {
        keepResizable(next, prev);
        next.status = prev.status;
        keepMetaForStatus(next, prev);
        bump(next, prev);
      },
      validate: (next, prev) => [
        ...updateMeta(next, prev, true),
        ...metadataFirst(next),
        ...validateResize(next, prev),
      ],
    },
    binding: {
      is: 'action',
      ref: { group: '', version: 'v1', kind: 'Binding', struct: 'io.k8s.api.core.v1.Binding' },
      verbs: ['create'],
      validate: (body) => validateBinding(body),
    },
    eviction: {
      is: 'action',
      ref: { group: 'policy', version: 'v1', kind: 'Eviction', struct: 'io.k8s.api.policy.v1.Eviction' },
      verbs: ['create'],
    },
  },
};

function bump(next: KubeObject, prev: KubeObject): void {
  const old = prev.metadata.generation ?? 0;
  next.metadata.generation = equalJson(next.spec, prev.spec) ? old : old + 1;
}
/** podIP and podIPs say the same: SetDefaults_PodStatus. */
function defaultIPs(s: JsonObject): void {
  const ip = str(s.podIP);
  const first = str(obj(list(s.podIPs)[0]).ip);
  if (ip !== '' && ip !== first) s.podIPs = [{ ip }];
  else if (ip === '' && first !== '') s.podIP = first;
}
/** matchLabelKeys become requirements of the selector with the pod's own values. */
function applyLabelKeys(pod: KubeObject): void {
  const labels = texts(pod.metadata.labels);
  const add = (term: JsonObject, member: string, operator: string) => {
    if (!isObject(term.labelSelector)) return;
    for (const k of list(term[member])) {
      const value = labels[str(k)];
      if (value === undefined) continue;
      const selector = term.labelSelector;
      selector.matchExpressions = [...list(selector.matchExpressions), { key: str(k), operator, values: [value] }];
    }
  };
  const affinity = obj(spec(pod).affinity);
  for (const side of ['podAffinity', 'podAntiAffinity']) {
    const a = obj(affinity[side]);
    const preferred = objs(a.preferredDuringSchedulingIgnoredDuringExecution).map((t) => obj(t.podAffinityTerm));
    for (const term of [...preferred, ...objs(a.requiredDuringSchedulingIgnoredDuringExecution)]) {
      add(term, 'matchLabelKeys', 'In');
      add(term, 'mismatchLabelKeys', 'NotIn');
    }
  }
  for (const c of objs(spec(pod).topologySpreadConstraints)) add(c, 'matchLabelKeys', 'In');
}

/** What pods are judged by beyond templates; metadata has been judged by the generic strategy. */
function metadataAndSpec(pod: KubeObject): Issue[] {
  const s = spec(pod);
  const issues = [
    ...validatePodAnnotations('metadata.annotations', texts(pod.metadata.annotations), s),
    ...validatePodSpec('spec', s, str(pod.metadata.name), true),
  ];
  if (str(s.serviceAccountName) === '') {
    for (const [i, v] of objs(s.volumes).entries()) {
      for (const [j, source] of objs(obj(v.projected).sources).entries()) {
        if (!has(source.serviceAccountToken)) continue;
        const at = `${index(`${index('spec.volumes', i)}.projected.sources`, j)}.serviceAccountToken`;
        issues.push(forbidden(at, 'must not be specified when serviceAccountName is not set'));
      }
    }
  }
  if (has(s.terminationGracePeriodSeconds)) {
    issues.push(...notNegative('spec.terminationGracePeriodSeconds', s.terminationGracePeriodSeconds));
  }
  for (const m of ['containers', 'initContainers']) {
    issues.push(...objs(s[m]).flatMap((c, i) => paddedImage(index(`spec.${m}`, i), c)));
  }
  return issues;
}
const metadataFirst = (pod: KubeObject): Issue[] => [
  ...validateObjectMeta(pod.metadata, true, nameIsDnsSubdomain),
  ...metadataAndSpec(pod),
];
function createOnly(pod: KubeObject): Issue[] {
  const s = spec(pod);
  const issues: Issue[] = [];
  if (list(s.ephemeralContainers).length > 0) {
    issues.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  }
  if (str(s.nodeName) !== '' && list(s.schedulingGates).length > 0) {
    issues.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  return [...issues, ...validateProfilesMatch('spec', texts(pod.metadata.annotations), s)];
}

const UPDATABLE =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
function updateOnly(pod: KubeObject, prev: KubeObject): Issue[] {
  const s = spec(pod);
  const old = spec(prev);
  const issues = validatePodAnnotationUpdate(
    'metadata.annotations',
    texts(pod.metadata.annotations),
    texts(prev.metadata.annotations),
    s,
  );
  for (const m of ['containers', 'initContainers']) {
    const r = validateContainerUpdates(`spec.${m}`, objs(s[m]), objs(old[m]));
    issues.push(...r.issues);
    if (r.stop) return issues;
  }
  const at = 'spec.activeDeadlineSeconds';
  if (has(s.activeDeadlineSeconds)) {
    const deadline = num(s.activeDeadlineSeconds);
    if (deadline < 0 || deadline > MAX_INT32) {
      return [...issues, invalid(at, deadline, `must be between 0 and ${MAX_INT32}, inclusive`)];
    }
    if (has(old.activeDeadlineSeconds) && num(old.activeDeadlineSeconds) < deadline) {
      return [...issues, invalid(at, deadline, 'must be less than or equal to previous value')];
    }
  } else if (has(old.activeDeadlineSeconds)) {
    issues.push(invalid(at, null, 'must not update from a positive integer to nil value'));
  }
  issues.push(
    ...onlyAddedTolerations('spec.tolerations', objs(s.tolerations), objs(old.tolerations)),
    ...onlyDeletedGates('spec.schedulingGates', objs(s.schedulingGates), objs(old.schedulingGates)),
  );
  if (equalJson(s, old)) return issues;
  const munged = copy(s);
  for (const m of ['containers', 'initContainers']) {
    const was = objs(old[m]);
    for (const [i, c] of objs(munged[m]).entries()) c.image = was[i]?.image;
  }
  for (const m of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations']) put(munged, m, old[m]);
  if (num(old.terminationGracePeriodSeconds) < 0 && munged.terminationGracePeriodSeconds === 1) {
    munged.terminationGracePeriodSeconds = old.terminationGracePeriodSeconds;
  }
  if (list(old.schedulingGates).length > 0) issues.push(...gatedChanges(munged, old));
  if (!equalJson(munged, old)) {
    // Upstream appends a diff of the two specs, whose form its library promises to nobody.
    issues.push(forbidden('spec', `pod updates may not change fields other than ${UPDATABLE}\n`));
  }
  return issues;
}
/** Selectors of a gated pod may get narrower; allowed changes are taken back in `munged`. */
function gatedChanges(munged: JsonObject, old: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (!equalJson(munged.nodeSelector, old.nodeSelector)) {
    issues.push(...onlyAddedSelector('spec.nodeSelector', munged.nodeSelector, old.nodeSelector).slice(0, 1));
    put(munged, 'nodeSelector', old.nodeSelector);
  }
  const was = obj(old.affinity).nodeAffinity;
  const now = obj(munged.affinity).nodeAffinity;
  if (equalJson(was, now)) return issues;
  issues.push(...onlyNarrowedAffinity('spec.affinity.nodeAffinity', now, was));
  const affinity = obj(munged.affinity);
  if (!has(munged.affinity)) munged.affinity = { nodeAffinity: was };
  else if (!has(old.affinity) && !has(affinity.podAffinity) && !has(affinity.podAntiAffinity)) delete munged.affinity;
  else put(affinity, 'nodeAffinity', was);
  return issues;
}

function ephemeralUpdate(pod: KubeObject, prev: KubeObject): Issue[] {
  if (texts(prev.metadata.annotations)[MIRROR] !== undefined) {
    return [forbidden('', 'static pods do not support ephemeral containers')];
  }
  const issues = validatePodAnnotationUpdate(
    'metadata.annotations',
    texts(pod.metadata.annotations),
    texts(prev.metadata.annotations),
    spec(pod),
  );
  const now = new Map(objs(spec(pod).ephemeralContainers).map((c) => [str(c.name), c]));
  for (const old of objs(spec(prev).ephemeralContainers)) {
    const next = now.get(str(old.name));
    const what = `existing ephemeral containers ${JSON.stringify(str(old.name))} may not be`;
    if (!next) issues.push(forbidden('spec.ephemeralContainers', `${what} removed\n`));
    else if (!equalJson(old, next)) issues.push(forbidden('spec.ephemeralContainers', `${what} changed\n`));
  }
  return issues;
}

function validateBinding(body: KubeObject): Issue[] {
  const target = obj(body.target);
  const kind = str(target.kind);
  const issues: Issue[] = [];
  if (kind !== '' && kind !== 'Node') issues.push(notSupported('target.kind', kind, ['Node', '<empty>']));
  if (str(target.name) === '') issues.push(required('target.name'));
  else if (kind === '' || kind === 'Node') issues.push(...named('target.name', str(target.name), nameIsDnsSubdomain));
  return issues;
}
