import { forbidden, invalid, notSupported } from '../meta/issues.ts';
import type { Issue } from '../meta/status.ts';
import { has, num, obj, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';

export const LEASE: Behaviour = {
  createOnUpdate: true,
  needsVersion: true,
  validate(next) {
    const spec = obj(next.spec);
    const issues: Issue[] = [];
    const seconds = num(spec.leaseDurationSeconds);
    if (has(spec.leaseDurationSeconds) && seconds <= 0) {
      issues.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
    }
    if (num(spec.leaseTransitions) < 0) {
      issues.push(invalid('spec.leaseTransitions', num(spec.leaseTransitions), 'must be greater than or equal to 0'));
    }
    if (has(spec.strategy) && spec.strategy !== 'OldestEmulationVersion' && !str(spec.strategy).includes('/')) {
      issues.push(notSupported('spec.strategy', str(spec.strategy), ['OldestEmulationVersion']));
    }
    if (str(spec.preferredHolder) !== '' && str(spec.strategy) === '') {
      issues.push(forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined'));
    }
    return issues;
  },
};
