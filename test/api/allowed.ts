import type { Answer } from './case.ts';

/** Differences that are allowed, each with its reason: applied to both sides before they are compared. */
export const ALLOWED: readonly { why: string; apply(a: Answer): Answer }[] = [
  {
    why: 'An empty map in a body is nothing to us; Go drops it when it writes the object, but a message of its validation may still show it.',
    apply: (a) => ({
      ...a,
      body: mapMembers(a.body, (_, v) =>
        typeof v === 'string' ? v.replace(/(Unsupported|Invalid) value: \{\}/g, '$1 value: null') : v,
      ),
    }),
  },
  {
    why: "Descriptions of table columns are upstream's sentences, which are not copied.",
    apply: (a) => ({
      ...a,
      body: mapMembers(a.body, (k, v, o) => (k === 'description' && 'format' in o && 'priority' in o ? '' : v)),
    }),
  },
  {
    why: 'After `may not change fields other than` and its kin upstream prints a diff whose form its library promises to nobody.',
    apply: (a) => ({ ...a, body: mapMembers(a.body, (_, v) => (typeof v === 'string' ? cutDiff(v) : v)) }),
  },
  {
    why: 'Go reads maps in random order: several texts in one message are compared as a set.',
    apply: (a) => ({
      ...a,
      body: mapMembers(a.body, (k, v) =>
        k === 'message' && typeof v === 'string' ? sortList(v) : k === 'causes' && Array.isArray(v) ? sorted(v) : v,
      ),
    }),
  },
  {
    why: 'Where a whole pod template may not change, upstream prints the internal Go struct with all its members.',
    apply: (a) => ({
      ...a,
      body: mapMembers(a.body, (_, v) =>
        typeof v === 'string'
          ? v.replace(/Invalid value: \{.*\}: field is immutable/s, 'Invalid value: {}: field is immutable')
          : v,
      ),
    }),
  },
  {
    why: 'The metadata in rows of DaemonSets lacks the annotation of the template generation upstream, as its internal type has a field for it.',
    apply: (a) => ({ ...a, body: mapMembers(a.body, (k, v) => (k === 'rows' ? withoutAnnotation(v) : v)) }),
  },
  {
    why: 'The build behind /version and the hashes in discovery name a program, not a behaviour.',
    apply: (a) => ({ ...a, body: mapMembers(a.body, (k, v) => (BUILD.has(k) ? '' : v)) }),
  },
];
/** `gitVersion` stays: clients decide by it. */
const BUILD = new Set([
  'storageVersionHash',
  'gitCommit',
  'gitTreeState',
  'buildDate',
  'goVersion',
  'compiler',
  'platform',
]);
const withoutAnnotation = (v: unknown): unknown =>
  JSON.parse(
    JSON.stringify(v).replace(/"annotations":\{"deprecated\.daemonset\.template\.generation":"\d+"\},?/g, ''),
  ) as unknown;
const cutDiff = (v: string) =>
  v.replace(
    /((?:pod updates may not change fields other than|spec is immutable after creation|may not be changed|immutable after creation)[^\n]*\n)[\s\S]*$/,
    '$1',
  );
function sortList(v: string): string {
  const lines = /^([\s\S]*: errors:\n)([\s\S]*)$/.exec(v);
  if (lines) return `${lines[1]}${(lines[2] ?? '').split('\n').sort().join('\n')}`;
  const m = /^(.* is invalid: )\[(.*)\]$/s.exec(v);
  return m ? `${m[1]}[${(m[2] ?? '').split(', ').sort().join(', ')}]` : v;
}
const sorted = (v: unknown[]) =>
  v
    .map((x) => JSON.stringify(x))
    .sort()
    .map((x) => JSON.parse(x) as unknown);

function mapMembers(v: unknown, f: (k: string, v: unknown, o: Record<string, unknown>) => unknown): unknown {
  if (Array.isArray(v)) return v.map((x) => mapMembers(x, f));
  if (typeof v !== 'object' || v === null) return v;
  const o = v as Record<string, unknown>;
  return Object.fromEntries(Object.entries(o).map(([k, x]) => [k, mapMembers(f(k, x, o), f)]));
}
/** An answer with all allowed differences taken out. */
export const allowed = (a: Answer): Answer => ALLOWED.reduce((x, rule) => rule.apply(x), a);
