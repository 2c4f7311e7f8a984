import type { Json, JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { badRequest, failure, type StatusError } from '../meta/status.ts';
import { humanDuration } from './human-duration.ts';
import { parseTime } from './timestamp.ts';

/** One column of `kubectl get`. Cells of a number, date or string as metav1.Table has them; priority 0 is always shown, others with -o wide. */
export interface Column<T extends KubeObject = KubeObject> {
  name: string;
  /** string, integer, number, boolean, date. */
  type: string;
  /** `name` on the column that holds the object's name. */
  format?: string;
  /** Our own short words; '' when absent. */
  description?: string;
  /** 0 when absent. */
  priority?: number;
  value(o: T, c: { now: number }): Json | Json[];
}

/** The object's name: the first column of every table. */
export const NAME_COLUMN: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name, unique within its namespace.',
  priority: 0,
  value: (o) => o.metadata.name ?? '',
};

/** Time since creation, as `5m12s`. */
export const AGE_COLUMN: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  priority: 0,
  value: (o, c) => ageOf(o.metadata.creationTimestamp, c.now),
};

const CREATED_COLUMN: Column = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  priority: 0,
  value: (o) => o.metadata.creationTimestamp ?? null,
};

/** What a kind without columns shows: upstream's default convertor. */
export const DEFAULT_COLUMNS: readonly Column[] = [NAME_COLUMN, CREATED_COLUMN];

/** How long ago an RFC 3339 time was, in upstream's short form; `<unknown>` without a time. */
export function ageOf(time: string | undefined | null, now: number): string {
  const t = time ? parseTime(time) : null;
  return t === null ? '<unknown>' : humanDuration(now - t.seconds * 1000 - Math.trunc(t.nanos / 1e6));
}

/** How long until an RFC 3339 time, in upstream's short form; `<unknown>` without a time. */
export function untilOf(time: string | undefined | null, now: number): string {
  const t = time ? parseTime(time) : null;
  return t === null ? '<unknown>' : humanDuration(t.seconds * 1000 + Math.trunc(t.nanos / 1e6) - now);
}

export type IncludeObject = 'Metadata' | 'Object' | 'None';

/** The query parameter includeObject; Metadata when absent. Throws 400 in upstream's words. */
export function includeObjectOf(query: string | null | undefined): IncludeObject {
  if (!query || query === 'Metadata') return 'Metadata';
  if (query === 'Object' || query === 'None') return query;
  const why = `includeObject: Invalid value: ${JSON.stringify(query)}: must be 'Metadata', 'Object', 'None', or empty`;
  throw badRequest(`Unable to convert to Table as requested: ${why}`);
}

export interface TableOptions<T extends KubeObject = KubeObject> {
  includeObject: IncludeObject;
  /** Of meta.k8s.io: the version of the Table and of each row's PartialObjectMetadata. */
  version: 'v1' | 'v1beta1';
  now: number;
  /** The list's metadata, or the object's resourceVersion. */
  list?: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  /** No columnDefinitions: `?noHeaders`, and every event of a watch but the first. */
  noHeaders?: boolean;
  /** Row conditions: a Pod that ended is Completed. */
  conditions?(o: T): JsonObject[] | undefined;
}

/** The annotation of the bookmark that ends a watch's initial events (apimachinery meta/v1 InitialEventsAnnotationKey); that row carries its metadata even when None is asked for. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Objects as metav1.Table. A kind's columns without a name column get one in front; without columns they are upstream's default ones. */
export function toTable<T extends KubeObject>(
  columns: readonly Column<T>[] | undefined,
  objects: readonly T[],
  o: TableOptions<T>,
): JsonObject {
  const all = columnsOf(columns);
  const { resourceVersion, continue: more, remainingItemCount } = o.list ?? {};
  const metadata: JsonObject = {};
  if (resourceVersion) metadata.resourceVersion = resourceVersion;
  if (more) metadata.continue = more;
  if (remainingItemCount !== undefined) metadata.remainingItemCount = remainingItemCount;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${o.version}`,
    metadata,
    columnDefinitions: o.noHeaders ? null : definitionsOf(all as readonly Column[]),
    rows: objects.map((object) => rowOf(all, object, o)),
  };
}

/** All columns of a table, the name's first. Made once for each kind. */
function columnsOf<T extends KubeObject>(columns: readonly Column<T>[] | undefined): readonly Column<T>[] {
  if (columns === undefined || columns.length === 0) return DEFAULT_COLUMNS as readonly Column<T>[];
  if (columns.some((c) => c.format === 'name' || c.name === 'Name')) return columns;
  let whole = named.get(columns);
  if (whole === undefined) {
    whole = [NAME_COLUMN, ...(columns as readonly unknown[] as readonly Column[])];
    named.set(columns, whole);
  }
  return whole as readonly unknown[] as readonly Column<T>[];
}
const named = new WeakMap<object, readonly Column[]>();
const definitions = new WeakMap<readonly Column[], JsonObject[]>();

function definitionsOf(columns: readonly Column[]): JsonObject[] {
  let made = definitions.get(columns);
  if (made === undefined) {
    made = columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({
      name,
      type,
      format,
      description,
      priority,
    }));
    definitions.set(columns, made);
  }
  return made;
}

function rowOf<T extends KubeObject>(columns: readonly Column<T>[], object: T, o: TableOptions<T>): JsonObject {
  const cells = columns.map((c) => c.value(object, o));
  const conditions = o.conditions?.(object);
  const included = includedOf(object, o);
  return conditions?.length ? { cells, conditions, object: included } : { cells, object: included };
}

function includedOf<T extends KubeObject>(object: T, o: TableOptions<T>): JsonObject | null {
  if (o.includeObject === 'Object') return object;
  const ends = object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true';
  return o.includeObject === 'None' && !ends ? null : toPartial(object, o.version);
}

/** An object as PartialObjectMetadata. */
export function toPartial(object: KubeObject, version: 'v1' | 'v1beta1'): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

/** A list as PartialObjectMetadataList. */
export function toPartialList(
  objects: readonly KubeObject[],
  metadata: JsonObject,
  version: 'v1' | 'v1beta1',
): JsonObject {
  return {
    kind: 'PartialObjectMetadataList',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    // Upstream collects them in a slice that stays nil.
    items: objects.length === 0 ? null : objects.map((o) => toPartial(o, version)),
  };
}

/** 406 of PartialObjectMetadata for a list, or of PartialObjectMetadataList for one object; `kind` as Go prints the type: `*v1.PodList`. */
export function wrongPartial(asked: 'PartialObjectMetadata' | 'PartialObjectMetadataList', kind: string): StatusError {
  const is = asked === 'PartialObjectMetadata' ? 'is a list' : 'is not a list';
  return failure('NotAcceptable', `you requested ${asked}, but the requested object ${is} (${kind})`);
}
