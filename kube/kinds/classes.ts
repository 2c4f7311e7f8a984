import { forbidden, invalid, tooLong } from '../meta/issues.ts';
import { equalJson } from '../meta/json.ts';
import { longerTogether } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { bool, has, num, obj, orElse, str, texts } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { immutable } from './objectmeta.ts';
import { label, need, oneOf, qualified } from './podspec/checks.ts';

/** Above this only the system's own classes lie. */
const HIGHEST_PRIORITY = 1_000_000_000;
const SYSTEM: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};
const MAX_PARAMETERS = 512;
const MAX_PARAMETER_BYTES = 256 * 1024;

export const PRIORITYCLASS: Behaviour = {
  prepare(next, prev) {
    // Upstream sets 1 on create and never counts on.
    next.metadata.generation = prev ? (prev.metadata.generation ?? 1) : 1;
  },
  default: (o) => orElse(o, 'preemptionPolicy', 'PreemptLowerPriority'),
  validate(next, prev) {
    if (prev) {
      return [
        ...(equalJson(next.value ?? 0, prev.value ?? 0)
          ? []
          : [forbidden('value', 'may not be changed in an update.')]),
        ...immutable('preemptionPolicy', next.preemptionPolicy, prev.preemptionPolicy),
      ];
    }
    const name = str(next.metadata.name);
    const value = num(next.value);
    const issues: Issue[] = [];
    if (name.startsWith('system-')) {
      const known = SYSTEM[name];
      const wrong =
        known === undefined
          ? `${name} is not a known system priority class`
          : known !== value
            ? `value of ${name} PriorityClass must be ${known}`
            : bool(next.globalDefault)
              ? `globalDefault of ${name} PriorityClass must be false`
              : '';
      if (wrong !== '') {
        issues.push(
          forbidden(
            'metadata.name',
            `priority class names with 'system-' prefix are reserved for system use only. error: ${wrong}`,
          ),
        );
      }
    } else if (value > HIGHEST_PRIORITY) {
      issues.push(forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_PRIORITY}`));
    }
    if (has(next.preemptionPolicy)) {
      issues.push(...oneOf('preemptionPolicy', next.preemptionPolicy, ['PreemptLowerPriority', 'Never']));
    }
    return issues;
  },
};

export const STORAGECLASS: Behaviour = {
  default(o) {
    orElse(o, 'reclaimPolicy', 'Delete');
    orElse(o, 'volumeBindingMode', 'Immediate');
  },
  validate(next, prev) {
    if (prev) {
      return ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'].flatMap((m) =>
        immutable(m, next[m], prev[m]),
      );
    }
    const provisioner = str(next.provisioner);
    const issues = provisioner === '' ? need('provisioner', '') : qualified('provisioner', provisioner.toLowerCase());
    const parameters = texts(next.parameters);
    const names = Object.keys(parameters);
    if (names.length > MAX_PARAMETERS) issues.push(tooLong('parameters', MAX_PARAMETERS));
    if (parameters[''] !== undefined) issues.push(invalid('parameters', '', 'field can not be empty.'));
    const all = names.flatMap((k) => [k, str(parameters[k])]);
    if (longerTogether(all, MAX_PARAMETER_BYTES)) issues.push(tooLong('parameters', MAX_PARAMETER_BYTES));
    if (str(next.reclaimPolicy) !== '') {
      issues.push(...oneOf('reclaimPolicy', next.reclaimPolicy, ['Delete', 'Retain'], null));
    }
    issues.push(...oneOf('volumeBindingMode', next.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']));
    return issues;
  },
};

export const RUNTIMECLASS: Behaviour = {
  createOnUpdate: true,
  needsVersion: true,
  validate: (next, prev) =>
    prev ? immutable('handler', next.handler, prev.handler) : label('handler', str(next.handler)),
};

export const CERTIFICATESIGNINGREQUEST: Behaviour = {
  prepare(next, prev, c) {
    const spec = obj(next.spec);
    if (prev) {
      next.spec = prev.spec;
      return;
    }
    // Who asks is the server's to say.
    for (const m of ['username', 'uid', 'groups', 'extra']) delete spec[m];
    if (!c.user) return;
    spec.username = c.user.name;
    if (c.user.groups.length > 0) spec.groups = [...c.user.groups];
  },
  default(o) {
    const spec = obj(o.spec);
    if (has(o.spec) && !has(spec.usages)) spec.usages = ['digital signature', 'key encipherment'];
  },
  fields: { 'spec.signerName': (o) => str(obj(o.spec).signerName) },
};
