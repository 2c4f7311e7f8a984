import * as v from 'valibot';
import { forbidden, invalid, notSupported, quote, required } from '../kube/meta/issues.ts';
import { badRequest, type Issue, invalid as invalidStatus, type StatusError } from '../kube/meta/status.ts';
import { fieldManagerIssues, managerOrUserAgent } from '../kube/patch/field-manager.ts';

// Query options of apimachinery pkg/apis/meta/v1/types.go; a parameter given twice counts once, as in upstream's conversion.

/** Go's strconv.ParseInt with base 10 and 64 bits; its error text goes to the client. */
const int64 = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const s = dataset.value;
    if (!/^[-+]?\d+$/.test(s)) {
      addIssue({ message: `strconv.ParseInt: parsing ${quote(s)}: invalid syntax` });
      return NEVER;
    }
    const n = BigInt(s.startsWith('+') ? s.slice(1) : s);
    if (n !== BigInt.asIntN(64, n)) {
      addIssue({ message: `strconv.ParseInt: parsing ${quote(s)}: value out of range` });
      return NEVER;
    }
    return Number(n);
  }),
);
/** Anything but `0` and `false` is true, the empty text too. */
const bool = v.pipe(
  v.string(),
  v.transform((s) => s !== '0' && s.toLowerCase() !== 'false'),
);
const text = v.string();

const ListQuery = v.object({
  labelSelector: v.optional(text),
  fieldSelector: v.optional(text),
  watch: v.optional(bool),
  allowWatchBookmarks: v.optional(bool),
  resourceVersion: v.optional(text),
  resourceVersionMatch: v.optional(text),
  timeoutSeconds: v.optional(int64),
  limit: v.optional(int64),
  continue: v.optional(text),
  sendInitialEvents: v.optional(bool),
});
const WriteQuery = v.object({
  dryRun: v.optional(v.array(text)),
  fieldManager: v.optional(text),
  fieldValidation: v.optional(text),
  force: v.optional(bool),
});
const DeleteQuery = v.object({
  gracePeriodSeconds: v.optional(int64),
  propagationPolicy: v.optional(text),
  orphanDependents: v.optional(bool),
  dryRun: v.optional(v.array(text)),
  ignoreStoreReadErrorWithClusterBreakingPotential: v.optional(bool),
});

export type ListOptions = v.InferOutput<typeof ListQuery>;
export type WriteOptions = v.InferOutput<typeof WriteQuery>;

/** metav1.DeleteOptions, from the query or from the body. */
export interface DeleteOptions {
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: string | undefined;
  orphanDependents?: boolean | undefined;
  dryRun?: string[] | undefined;
  preconditions?: { uid?: string | undefined; resourceVersion?: string | undefined } | undefined;
  ignoreStoreReadErrorWithClusterBreakingPotential?: boolean | undefined;
}

function read<S extends v.ObjectSchema<v.ObjectEntries, undefined>>(
  schema: S,
  query: URLSearchParams,
): v.InferOutput<S> {
  const given: Record<string, string | string[]> = {};
  for (const name in schema.entries) {
    const value = name === 'dryRun' ? query.getAll(name) : query.get(name);
    if (value !== null && value.length + (name === 'dryRun' ? 0 : 1) > 0) given[name] = value;
  }
  const r = v.safeParse(schema, given);
  if (!r.success) throw badRequest(r.issues[0].message);
  return r.output;
}

const NO_OPTIONS = Object.freeze({});
const invalidOptions = (kind: string, issues: Issue[]): StatusError =>
  invalidStatus({ group: 'meta.k8s.io', kind }, '', issues);

/** ListOptions, defaulted and validated; `watching` for requests whose path or parameters ask for a watch. */
export function listOptions(query: URLSearchParams, watching: boolean): ListOptions {
  const o: ListOptions = query.size === 0 ? {} : read(ListQuery, query);
  if (watching) o.watch = true;
  const legacy = o.resourceVersion === undefined || o.resourceVersion === '' || o.resourceVersion === '0';
  // Upstream with WatchList on: a watch from nothing or 0 is one with initial events.
  if (o.watch && o.sendInitialEvents === undefined && !o.resourceVersionMatch && legacy) {
    o.sendInitialEvents = true;
    o.resourceVersionMatch = 'NotOlderThan';
  }
  const issues = o.watch ? watchIssues(o) : listIssues(o);
  if (issues.length > 0) throw invalidOptions('ListOptions', issues);
  return o;
}

function listIssues(o: ListOptions): Issue[] {
  const issues: Issue[] = [];
  const match = o.resourceVersionMatch;
  if (match) {
    if (!o.resourceVersion) {
      issues.push(
        forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'),
      );
    }
    if (o.continue) {
      issues.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      issues.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && o.resourceVersion === '0') {
      issues.push(
        forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
      );
    }
  }
  if (o.sendInitialEvents !== undefined) {
    issues.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  return issues;
}

function watchIssues(o: ListOptions): Issue[] {
  const issues: Issue[] = [];
  const match = o.resourceVersionMatch ?? '';
  if (o.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    issues.push(
      forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    );
  }
  if (match === '') return issues;
  if (o.sendInitialEvents === undefined) {
    issues.push(
      forbidden(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    );
  }
  if (match !== 'NotOlderThan') issues.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']));
  if (o.continue) {
    issues.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
  }
  return issues;
}

/** CreateOptions, UpdateOptions or PatchOptions; `apply` says that a patch is server-side apply, undefined that it's no patch. */
export function writeOptions(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  apply?: boolean,
): WriteOptions {
  const o: WriteOptions = query.size === 0 ? { ...NO_OPTIONS } : read(WriteQuery, query);
  const issues: Issue[] = [];
  if (apply === true && !o.fieldManager) issues.push(required('fieldManager', 'is required for apply patch'));
  if (apply === false && o.force !== undefined) {
    issues.push(forbidden('force', 'may not be specified for non-apply patch'));
  }
  if (o.fieldManager) issues.push(...fieldManagerIssues(o.fieldManager, 'fieldManager'));
  if (o.dryRun) dryRunIssues(o.dryRun, issues);
  const f = o.fieldValidation ?? '';
  if (f !== '' && f !== 'Ignore' && f !== 'Warn' && f !== 'Strict') {
    issues.push(notSupported('fieldValidation', f, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (issues.length > 0) throw invalidOptions(kind, issues);
  return o;
}

/** DeleteOptions of the query (a body has precedence: checkDeleteOptions alone is for it). */
export function deleteOptions(query: URLSearchParams): DeleteOptions {
  return checkDeleteOptions(query.size === 0 ? {} : read(DeleteQuery, query));
}
const PROPAGATION = ['Foreground', 'Background', 'Orphan'];
/** Validates DeleteOptions; gives them back. */
export function checkDeleteOptions(o: DeleteOptions): DeleteOptions {
  const issues: Issue[] = [];
  const p = o.propagationPolicy;
  if (o.orphanDependents !== undefined && p !== undefined) {
    issues.push(invalid('propagationPolicy', p, 'orphanDependents and deletionPropagation cannot be both set'));
  }
  if (p !== undefined && !PROPAGATION.includes(p)) {
    issues.push(notSupported('propagationPolicy', p, [...PROPAGATION, 'nil']));
  }
  if (o.dryRun) dryRunIssues(o.dryRun, issues);
  if (issues.length > 0) throw invalidOptions('DeleteOptions', issues);
  return o;
}

function dryRunIssues(dryRun: string[], issues: Issue[]): void {
  if (dryRun.some((d) => d !== 'All')) issues.push(notSupported('dryRun', dryRun, ['All']));
}

/** The manager of a write: `fieldManager`, or else the User-Agent before its first slash. */
export const managerOf = (options: { fieldManager?: string | undefined }, userAgent: string | null): string =>
  managerOrUserAgent(options.fieldManager, userAgent ?? undefined);
