import { forbidden, index, invalid, notSupported, required } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { dns1123Label, pathSegmentName } from '../meta/names.ts';
import { type KubeObject, parseApiVersion } from '../meta/object.ts';
import { quantity } from '../meta/quantity.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, make, num, obj, objs, orElse, put, str } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { each, notNegative, oneOf } from './podspec/checks.ts';

const CPU_PERCENT = 80;
const MAX_PERIOD_SECONDS = 1800;
const MAX_WINDOW_SECONDS = 3600;
const SOURCES: Readonly<Record<string, string>> = {
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
  External: 'external',
  ContainerResource: 'containerResource',
};
const TYPES = Object.keys(SOURCES).sort();
const percent = (type: string, value: number) => ({ type, value, periodSeconds: 15 });
const RULES = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [percent('Pods', 4), percent('Percent', 100)],
  },
  scaleDown: { selectPolicy: 'Max', policies: [percent('Percent', 100)] },
};
const cpu = (averageUtilization: Json): JsonObject => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

export const HORIZONTALPODAUTOSCALER: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    orElse(spec, 'minReplicas', 1);
    if (list(spec.metrics).length === 0 && !has(spec.targetCPUUtilizationPercentage)) {
      // autoscaling/v1 has no metrics field; its conversion gives the percentage.
      spec.metrics = [cpu(CPU_PERCENT)];
    }
    if (!has(spec.behavior)) return;
    const behavior = make(spec, 'behavior');
    for (const [m, rules] of Object.entries(RULES)) {
      behavior[m] = { ...(structuredClone(rules) as JsonObject), ...obj(behavior[m]) };
    }
  },
  convert(o, to) {
    const spec = { ...obj(o.spec) };
    const status = { ...obj(o.status) };
    const annotations = { ...o.metadata.annotations };
    if (to.version === 'v1') toV1(spec, status, annotations);
    else fromV1(spec, status, annotations);
    const metadata = { ...o.metadata };
    put(metadata, 'annotations', Object.keys(annotations).length > 0 ? annotations : undefined);
    return { ...o, metadata, spec, ...(o.status === undefined ? {} : { status }) } as KubeObject;
  },
  validate(next) {
    const spec = obj(next.spec);
    const at = 'spec';
    const max = num(spec.maxReplicas);
    const min = num(spec.minReplicas);
    const issues: Issue[] = [];
    if (has(spec.minReplicas) && min < 0) {
      issues.push(invalid(`${at}.minReplicas`, min, 'must be greater than or equal to 0'));
    }
    if (max === 0) issues.push(required(`${at}.maxReplicas`, 'must be set and greater than 0'));
    else if (max < 0) issues.push(invalid(`${at}.maxReplicas`, max, 'must be greater than or equal to 1'));
    if (has(spec.minReplicas) && max < min) {
      issues.push(invalid(`${at}.maxReplicas`, max, 'must be greater than or equal to `minReplicas`'));
    }
    issues.push(...reference(`${at}.scaleTargetRef`, obj(spec.scaleTargetRef), true));
    const metrics = objs(spec.metrics);
    issues.push(...metrics.flatMap((m, i) => metric(index(`${at}.metrics`, i), m)));
    if (has(spec.minReplicas) && min === 0 && !metrics.some((m) => m.type === 'Object' || m.type === 'External')) {
      issues.push(
        forbidden(
          `${at}.metrics`,
          'must specify at least one Object or External metric to support scaling to zero replicas',
        ),
      );
    }
    for (const m of ['scaleUp', 'scaleDown']) {
      if (has(obj(spec.behavior)[m])) issues.push(...scaling(`${at}.behavior.${m}`, obj(obj(spec.behavior)[m])));
    }
    return issues;
  },
  subresources: {
    status: statusOf('Namespaced', {
      validate: (next) =>
        ['currentReplicas', 'desiredReplicas'].flatMap((m) => notNegative(`status.${m}`, obj(next.status)[m])),
    }),
  },
};

// What autoscaling/v1 has no field for travels in annotations: pkg/apis/autoscaling/annotations.go.
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';
const CURRENT = 'autoscaling.alpha.kubernetes.io/current-metrics';
const isCpu = (m: JsonObject) =>
  m.type === 'Resource' && obj(m.resource).name === 'cpu' && has(obj(obj(m.resource).target).averageUtilization);
function toV1(spec: JsonObject, status: JsonObject, annotations: Record<string, string>): void {
  const metrics = objs(spec.metrics);
  const main = metrics.find(isCpu);
  if (main) spec.targetCPUUtilizationPercentage = obj(obj(main.resource).target).averageUtilization;
  const others = metrics.filter((m) => m !== main);
  if (others.length > 0) annotations[METRICS] = JSON.stringify(others);
  if (has(spec.behavior)) annotations[BEHAVIOR] = JSON.stringify(spec.behavior);
  delete spec.metrics;
  delete spec.behavior;
  const current = objs(status.currentMetrics);
  const used = current.find((m) => m.type === 'Resource' && obj(m.resource).name === 'cpu');
  const utilization = obj(obj(obj(used).resource).current).averageUtilization;
  if (has(utilization)) status.currentCPUUtilizationPercentage = utilization;
  if (current.length > 0) annotations[CURRENT] = JSON.stringify(current);
  if (list(status.conditions).length > 0) annotations[CONDITIONS] = JSON.stringify(status.conditions);
  delete status.currentMetrics;
  delete status.conditions;
  // autoscaling/v1 always writes the counters, autoscaling/v2 the metrics.
  orElse(status, 'currentReplicas', 0);
  orElse(status, 'desiredReplicas', 0);
}
function fromV1(spec: JsonObject, status: JsonObject, annotations: Record<string, string>): void {
  const take = (name: string): Json | undefined => {
    const text = annotations[name];
    delete annotations[name];
    try {
      return text === undefined ? undefined : (JSON.parse(text) as Json);
    } catch {
      // Upstream drops an annotation that it can't read.
      return undefined;
    }
  };
  const metrics = [...list(take(METRICS))];
  if (has(spec.targetCPUUtilizationPercentage)) metrics.unshift(cpu(spec.targetCPUUtilizationPercentage ?? null));
  delete spec.targetCPUUtilizationPercentage;
  if (metrics.length > 0) spec.metrics = metrics;
  const behavior = take(BEHAVIOR);
  if (behavior !== undefined) spec.behavior = behavior;
  const conditions = take(CONDITIONS);
  if (conditions !== undefined) status.conditions = conditions;
  const current = take(CURRENT);
  status.currentMetrics = current ?? null;
  if (num(status.currentReplicas) === 0) delete status.currentReplicas;
  delete status.currentCPUUtilizationPercentage;
}

function reference(path: string, r: JsonObject, groupNeeded: boolean): Issue[] {
  const issues: Issue[] = [];
  for (const m of ['kind', 'name']) {
    const v = str(r[m]);
    if (v === '') issues.push(required(`${path}.${m}`));
    else issues.push(...each(`${path}.${m}`, v, pathSegmentName(v)));
  }
  const apiVersion = str(r.apiVersion);
  const gv = parseApiVersion(apiVersion);
  if (gv === null) {
    issues.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  } else if (groupNeeded && gv.group === '') {
    issues.push(invalid(`${path}.apiVersion`, apiVersion, 'apiVersion must specify API group'));
  }
  return issues;
}
function metric(path: string, m: JsonObject): Issue[] {
  const type = str(m.type);
  const issues: Issue[] = [];
  if (type === '') issues.push(required(`${path}.type`, 'must specify a metric source type'));
  const expected = SOURCES[type];
  if (expected === undefined) issues.push(notSupported(`${path}.type`, type, TYPES));
  const present = ['object', 'external', 'pods', 'resource', 'containerResource'].filter((s) => has(m[s]));
  const [first] = present;
  if (first) issues.push(...source(`${path}.${first}`, first, obj(m[first])));
  if (expected === undefined) issues.push(notSupported(`${path}.type`, type, TYPES));
  else if (!has(m[expected])) {
    issues.push(required(`${path}.${expected}`, 'must populate information for the given metric source'));
  }
  if (present.length !== 1) {
    for (const s of present) {
      if (s !== expected) issues.push(forbidden(`${path}.${s}`, 'must populate the given metric source only'));
    }
  }
  return issues;
}
function source(path: string, type: string, s: JsonObject): Issue[] {
  const t = obj(s.target);
  const at = `${path}.target`;
  const issues: Issue[] = [];
  if (type === 'object') issues.push(...reference(`${path}.describedObject`, obj(s.describedObject), true));
  if (type === 'resource' || type === 'containerResource') {
    if (str(s.name) === '') issues.push(required(`${path}.name`, 'must specify a resource name'));
    if (type === 'containerResource') {
      const container = str(s.container);
      issues.push(
        ...(container === ''
          ? [required(`${path}.container`, 'must specify a container')]
          : each(`${path}.container`, container, dns1123Label(container))),
      );
    }
    issues.push(...target(at, t));
    if (!has(t.averageUtilization) && !has(t.averageValue)) {
      issues.push(required(`${at}.averageUtilization`, 'must set either a target raw value or a target utilization'));
    }
    if (has(t.averageUtilization) && has(t.averageValue)) {
      issues.push(forbidden(`${at}.averageValue`, 'may not set both a target raw value and a target utilization'));
    }
    return issues;
  }
  const name = str(obj(s.metric).name);
  if (name === '') issues.push(required(`${path}.metric.name`, 'must specify a metric name'));
  else issues.push(...each(`${path}.metric.name`, name, pathSegmentName(name)));
  issues.push(...target(at, t));
  if (type === 'pods') {
    if (!has(t.averageValue)) {
      issues.push(required(`${at}.averageValue`, 'must specify a positive target averageValue'));
    }
  } else if (!has(t.value) && !has(t.averageValue)) {
    const text =
      type === 'object'
        ? 'must set either a target value or averageValue'
        : 'must set either a target value for metric or a per-pod target';
    issues.push(required(`${at}.averageValue`, text));
  } else if (type === 'external' && has(t.value) && has(t.averageValue)) {
    issues.push(forbidden(`${at}.value`, 'may not set both a target value for metric and a per-pod target'));
  }
  return issues;
}
function target(path: string, t: JsonObject): Issue[] {
  const type = str(t.type);
  const issues: Issue[] = [];
  if (type === '') issues.push(required(`${path}.type`, 'must specify a metric target type'));
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    issues.push(invalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const m of ['value', 'averageValue']) {
    const q = quantity(t[m]);
    if (has(t[m]) && q.unscaled <= 0n) issues.push(invalid(`${path}.${m}`, q.text, 'must be positive'));
  }
  if (has(t.averageUtilization) && num(t.averageUtilization) < 1) {
    issues.push(invalid(`${path}.averageUtilization`, num(t.averageUtilization), 'must be greater than 0'));
  }
  return issues;
}
function scaling(path: string, r: JsonObject): Issue[] {
  const window = num(r.stabilizationWindowSeconds);
  const at = `${path}.stabilizationWindowSeconds`;
  const issues: Issue[] = [];
  if (window < 0) issues.push(invalid(at, window, 'must be greater than or equal to zero'));
  if (window > MAX_WINDOW_SECONDS) {
    issues.push(invalid(at, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`));
  }
  if (has(r.selectPolicy))
    issues.push(...oneOf(`${path}.selectPolicy`, r.selectPolicy, ['Disabled', 'Max', 'Min'], null));
  if (list(r.policies).length === 0) issues.push(required(`${path}.policies`, 'must specify at least one Policy'));
  for (const [i, p] of objs(r.policies).entries()) {
    const policy = index(`${path}.policies`, i);
    issues.push(...oneOf(`${policy}.type`, p.type, ['Percent', 'Pods'], null));
    for (const m of ['value', 'periodSeconds']) {
      if (num(p[m]) <= 0) issues.push(invalid(`${policy}.${m}`, num(p[m]), 'must be greater than zero'));
    }
    if (num(p.periodSeconds) > MAX_PERIOD_SECONDS) {
      const text = `must be less than or equal to ${MAX_PERIOD_SECONDS}`;
      issues.push(invalid(`${policy}.periodSeconds`, num(p.periodSeconds), text));
    }
  }
  return issues;
}
