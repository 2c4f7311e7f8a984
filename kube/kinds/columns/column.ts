import { humanDuration } from '../../codec/human-duration.ts';
import { AGE_COLUMN, ageOf, type Column, NAME_COLUMN } from '../../codec/table.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import { printSelector } from '../../meta/selectors.ts';
import { ZERO_TIME } from '../../meta/time.ts';
import { has, obj, objs, str, texts } from '../access.ts';

// Columns of kubernetes pkg/printers/internalversion/printers.go, v1.37.1. Descriptions are sentences of upstream and are left out.

/** A text column; its cell sees the object and the time in milliseconds. */
export function text(name: string, cell: (o: KubeObject, now: number) => Json, wide = false): Column {
  return { name, type: 'string', description: '', priority: wide ? 1 : 0, value: (o, c) => cell(o, c.now) };
}
/** A number column. */
export function integer(name: string, cell: (o: KubeObject) => number): Column {
  return { name, type: 'integer', description: '', priority: 0, value: cell };
}
/** A column that upstream declares as boolean. */
export function flag(name: string, cell: (o: KubeObject) => Json): Column {
  return { name, type: 'boolean', description: '', priority: 0, value: cell };
}
/** The object's name; `also` is written behind it. */
export const name = (also?: (o: KubeObject) => string): Column =>
  also ? { ...NAME_COLUMN, value: (o) => str(o.metadata.name) + also(o) } : NAME_COLUMN;
/** How long ago the object was created. */
export const age: Column = AGE_COLUMN;

/** Time since a timestamp, `<unknown>` without one. */
export const since = (time: Json | undefined, now: number): string =>
  ageOf(time === ZERO_TIME ? undefined : str(time), now);

/** `a=1,b=2`, `<none>` when empty: labels.FormatLabels. */
export function formatLabels(v: Json | undefined): string {
  const map = texts(v);
  const parts = Object.keys(map)
    .sort()
    .map((k) => `${k}=${map[k]}`);
  return parts.length === 0 ? '<none>' : parts.join(',');
}
/** A LabelSelector as metav1.FormatLabelSelector prints it. */
export function formatSelector(v: Json | undefined): string {
  if (!has(v)) return '<none>';
  const s = printSelector(obj(v));
  return s === '' ? '<none>' : s;
}
/** Names and images of the containers of a pod template, wide only. */
export const containers = (template: (o: KubeObject) => Json | undefined): Column[] => {
  const cells = (field: string) => (o: KubeObject) =>
    objs(obj(obj(template(o)).spec).containers)
      .map((c) => str(c[field]))
      .join(',');
  return [text('Containers', cells('name'), true), text('Images', cells('image'), true)];
};
/** `a,b,c + 2 more...` of at most three; `<unset>` when empty. */
export function listWithMore(items: readonly string[], max = 3): string {
  const shown = items.slice(0, max).join(',');
  if (items.length > max) return `${shown} + ${items.length - max} more...`;
  return shown === '' ? '<unset>' : shown;
}
/** The value as text, or a placeholder when it is absent. */
export const or = (v: Json | undefined, otherwise: string): string => (has(v) ? String(v) : otherwise);
export const spec = (o: KubeObject): JsonObject => obj(o.spec);
export const status = (o: KubeObject): JsonObject => obj(o.status);
export { DEFAULT_COLUMNS } from '../../codec/table.ts';
export { humanDuration };
