import { required } from '../meta/issues.ts';
import { isObject } from '../meta/json.ts';
import { nameIsDnsSubdomain } from '../meta/names.ts';
import type { Behaviour } from './behaviour.ts';
import { immutable, validateObjectMeta } from './objectmeta.ts';
import { notNegative } from './podspec/checks.ts';

export const CONTROLLERREVISION: Behaviour = {
  validate(next, prev) {
    const revision = notNegative('revision', next.revision);
    if (prev) {
      return [
        ...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain),
        ...revision,
        ...immutable('data', next.data, prev.data),
      ];
    }
    if (next.data === undefined || next.data === null) return [...revision, required('data', 'data is mandatory')];
    return isObject(next.data) ? revision : [...revision, required('data', 'data must be a valid JSON object')];
  },
};
