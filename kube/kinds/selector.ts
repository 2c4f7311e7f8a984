import { child, invalid, required } from '../meta/issues.ts';
import type { Json } from '../meta/json.ts';
import { validateLabelSelector } from '../meta/names.ts';
import { selectorRequirements, selects } from '../meta/selectors.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, obj, texts } from './access.ts';

/** A plain map selector as labels.Set prints it: `a=1,b=2`. */
export function formatPlainSelector(v: Json | undefined): string {
  const map = texts(v);
  return Object.keys(map)
    .sort()
    .map((k) => `${k}=${map[k]}`)
    .join(',');
}
/** True for a LabelSelector without any requirement. */
export const selectsAll = (v: Json | undefined): boolean =>
  Object.keys(obj(obj(v).matchLabels)).length + list(obj(v).matchExpressions).length === 0;

/**
 * The selector of a workload and the labels of its template, as apps/validation judges them: required, not empty, well-formed, and matching.
 * `empty` is what an empty one is told.
 */
export function validateWorkloadSelector(path: string, selector: Json | undefined, empty: string): Issue[] {
  if (!has(selector)) return [required(path)];
  const issues = validateLabelSelector(path, obj(selector));
  if (selectsAll(selector)) issues.push(invalid(path, selector, empty));
  return issues;
}
/** `selector` does not match template `labels`, when the selector is well-formed and says something; no selector matches nothing. */
export function templateMatches(path: string, selector: Json | undefined, labels: Json | undefined): Issue[] {
  const parsed = selectorRequirements(selector);
  if (parsed !== null && (!parsed.ok || selectsAll(selector) || selects(selector, texts(labels)))) return [];
  return [
    invalid(
      child(child(path, 'metadata'), 'labels'),
      has(labels) ? labels : null,
      '`selector` does not match template `labels`',
    ),
  ];
}
