import type { Column } from '../codec/table.ts';
import type { Facts } from '../meta/facts.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import type { SchemaRef } from '../schema/schema.ts';

/**
 * One kind: data (where its schema is, its names) and behaviour (only what the schema can't say). Everything about a kind is in its entry;
 * consumers get the entry and never enumerate kinds. Kinds without a file of their own are made from data alone (kinds/index.ts).
 */
export interface Kind<T extends KubeObject = KubeObject> {
  /** Storage version first. Several groups may serve one kind (Event). The first group and plural make the store key. */
  served: readonly SchemaRef[];
  kind: string;
  plural: string;
  singular: string;
  short?: readonly string[];
  categories?: readonly string[];
  scope: 'Namespaced' | 'Cluster';
  /** As discovery lists them: create, get, list, watch, update, patch, delete, deletecollection. A kind with create alone is virtual (reviews). */
  verbs: readonly string[];
  /** How metadata.name is checked; DNS-1123 subdomain when absent. `prefix`: a generateName base. Gives messages without the field. */
  name?(name: string, prefix: boolean): string[];
  /** PUT creates when absent (upstream's AllowCreateOnUpdate): Lease, Endpoints, Event, ... */
  createOnUpdate?: boolean;
  /** An update without resourceVersion is refused (upstream's AllowUnconditionalUpdate = false). */
  needsVersion?: boolean;
  /** metadata.generation is kept and rises when anything but metadata and status changes. */
  generation?: boolean;
  /** Conditional defaults only; unconditional ones are data. Runs after applyDefaults, in place. */
  default?(next: T, prev: T | null, c: Context): void;
  /** Before admission is done and before validation, in place: drop status on create, keep status on update, fixed fields. */
  prepare?(next: T, prev: T | null, c: Context): void;
  /** Beyond the schema; sees prev for immutability. */
  validate?(next: T, prev: T | null, c: Context): Issue[];
  warn?(next: T, prev: T | null): string[];
  /** Selectable fields beyond metadata.name and metadata.namespace: `spec.nodeName` -> its text. */
  fields?: Record<string, (o: T) => string>;
  /** Selectors' names of `fields` where a served group has names of its own: group -> label -> field. A label that isn't there isn't offered. */
  fieldLabels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Columns after Name and before Age are given whole, Age included, in upstream's order. Name is added when absent. */
  columns?: readonly Column<T>[];
  /** The order of a Table's rows, where it isn't that of keys. */
  rowOrder?: (a: T, b: T) => number;
  /** Conditions of a row in a Table: a Pod that ended is Completed. */
  rowConditions?(o: T): JsonObject[] | undefined;
  /** By subresource name: status, scale, eviction, binding, token, ... */
  subresources?: Record<string, Subresource<T>>;
  deletion?: DeleteStrategy<T>;
  /** Milliseconds that a row lives; absent = for ever. */
  ttl?(o: T): number;
  /** Another served version of the object: `to` is one of `served`. Absent = versions differ in apiVersion only. Additive to o; may return o. */
  convert?(o: T, to: SchemaRef): KubeObject;
  /** Pools to claim from in the same commit; runs after prepare. `token` stands in the object's text until the store replaces it. */
  claims?(next: T, prev: T | null, key: string): ClaimRequest[];
  /** What an update gives back of what `prev` had claimed. What a deleted object has goes with it. */
  releases?(next: T, prev: T, key: string): ReleaseRequest[];
  /** Facts beyond labels, fields and owners: node, refs, generation, standing, policy. */
  facts?(o: T): Pick<Facts, 'node' | 'refs' | 'generation' | 'standing' | 'policy'>;
}

/** What behaviour may know besides the objects. */
export interface Context {
  /** Milliseconds since the epoch. */
  now: number;
  operation: 'create' | 'update' | 'delete';
  /** '' for the main resource. */
  subresource: string;
  /** The version asked for, of `served`. */
  version: string;
  user?: { name: string; groups: readonly string[] };
  dryRun: boolean;
  random(): number;
  uuid(): string;
}

export type Subresource<T extends KubeObject = KubeObject> =
  | WriteSubresource<T>
  | ActionSubresource<T>
  | ConnectSubresource;

/** A view of the same object: status, resize, ephemeralcontainers, approval, finalize, and scale (another kind with its own conversion). */
export interface WriteSubresource<T extends KubeObject = KubeObject> {
  is: 'view';
  verbs: readonly ('get' | 'update' | 'patch')[];
  /** Another kind speaks for the object (autoscaling/v1 Scale, ...): both directions; absent = the object itself. */
  as?: { ref: SchemaRef; read(o: T): KubeObject; write(o: T, view: KubeObject): Issue[] | undefined };
  /** Takes from `next` what this subresource may change; everything else is prev's. In place on next. Absent = `status` only. */
  prepare?(next: T, prev: T, c: Context): void;
  validate?(next: T, prev: T, c: Context): Issue[];
}
/** POST of another kind that does something: eviction, binding, token. The verb layer's own table says what (api/actions). */
export interface ActionSubresource<T extends KubeObject = KubeObject> {
  is: 'action';
  ref: SchemaRef;
  verbs: readonly ['create'];
  validate?(body: KubeObject, o: T | null, c: Context): Issue[];
}
/** A stream through the node: exec, attach, log, portforward, proxy. */
export interface ConnectSubresource {
  is: 'connect';
  ref: SchemaRef;
  verbs: readonly string[];
}

export interface DeleteStrategy<T extends KubeObject = KubeObject> {
  /** Seconds of grace when the caller gives none; 0 or absent = at once. May lower what the caller asks. */
  grace?(o: T, asked: number | undefined): number;
  /** Propagation when the caller gives none: background unless said (Job in batch/v1 through clients; orphan for legacy). */
  propagation?: 'Background' | 'Orphan' | 'Foreground';
  /** Finalizers that a spec field holds (Namespace: spec.finalizers). */
  held?(o: T): boolean;
  /** In place, when deletion begins (Namespace: phase Terminating). */
  begin?(o: T, c: Context): void;
}

/** Reads one member without a cast at each place. */
export type Of<T> = T & Record<string, Json | undefined>;

/** One value given back by a write, in the store's terms (store.ts UnclaimOp) without importing it. */
export interface ReleaseRequest {
  /** The pool's name. */
  unclaim: string;
  value: string;
  owner: string;
}

/** One claim of a write, in the store's terms (store.ts ClaimOp) without importing it. */
export interface ClaimRequest {
  claim: { name: string; cidr?: string; ports?: { from: number; to: number } };
  want?: string;
  owner: string;
  token?: string;
  /** What the client is told when `want` is taken or nothing is free. */
  lost(exhausted: boolean): Issue;
}
