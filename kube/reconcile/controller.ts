import type { Kind } from '../kinds/kind.ts';
import type { JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Where } from '../store/interest.ts';
import type { Key, Revision } from '../store/store.ts';

/** rbac/v1 PolicyRule, as a controller declares what it needs. */
export interface PolicyRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}

/**
 * A controller: level-based, one root kind, a synchronous plan. It is never told which event woke it, takes no clock or network,
 * and may be called any number of times with the same input. Its ServiceAccount (kube-system/<name>) and ClusterRole
 * (system:controller:<name>) are made from `rules`.
 */
export interface Controller {
  name: string;
  rules: readonly PolicyRule[];
  for: Kind;
  /** Which objects of the root kind it looks at (a scheduler: those that want a node); others are as good as gone, and not reconciled. Absent: all. */
  roots?: Where;
  /** Which roots count for `beside` (a Service without a selector needs no pods); absent: all. */
  besideOf?(root: Row): boolean;
  /** Kinds whose objects name the root as controller owner: a change of one wakes its owner. Objects without an owner aren't looked at. */
  owns?: readonly Kind[];
  watches?: readonly Watch[];
  /**
   * By groupResource: what the projection keeps of an object. Absent kinds are kept whole. Rows live in the loop's SQLite. A change that leaves
   * all that is kept as it was makes nobody reconcile.
   */
  project?: Readonly<Record<string, (o: KubeObject) => JsonObject>>;
  /** `object` is undefined when it's gone. */
  reconcile(key: Key, object: KubeObject | undefined, view: View): Plan;
  /** Instead of one reconcile a key: all that are due at once (the scheduler's snapshot is made once a round). Keys without a plan are done. */
  reconcileAll?(keys: readonly Key[], view: View): Map<Key, Plan | typeof LATER>;
  /** reconcileAll is handed all that is due, not a page of it: it says by LATER what it leaves for its next turn, which comes at once. */
  takesAll?: true;
}

/** In place of a plan: the key stays due as it is. At least one key of a turn has a plan. */
export const LATER = 'later';

/** Another kind that a controller looks at, mapped to keys of its root kind. */
export interface Watch {
  kind: Kind;
  /** Only objects of this name. */
  name?: string;
  /** Only such objects; the rest isn't read, and wakes nobody. */
  where?: Where;
  /** Only in namespaces that hold an object of the root kind. */
  beside?: true;
  /** `row` is the new state, or the last one of an object that is gone or no longer looked at; `before` what it was, where it was known and still is. */
  map(row: Row, view: View, before?: Row): Key[];
}

/** A row of the projection. */
export interface Row {
  key: Key;
  revision: Revision;
  uid: string;
  labels: Readonly<Record<string, string>>;
  /** uid of the controller owner, '' without one. */
  owner: string;
  /** What `project` kept; the whole object without kind, apiVersion when it's absent. */
  data: JsonObject;
}

/** What a plan may look at: the projection at one revision, the time, and the results of earlier effects. */
export interface View {
  revision: Revision;
  /** Milliseconds since the epoch, taken once per round. */
  now: number;
  get(key: Key): Row | undefined;
  /** Rows of a resource in key order, of one namespace when given. */
  list(resource: string, namespace?: string): Iterable<Row>;
  /** Rows of a resource whose controller owner is that uid. Indexed. */
  owned(resource: string, ownerUid: string): Row[];
  /** Rows of a resource in a namespace without a controller owner. Indexed. */
  orphans(resource: string, namespace: string): Row[];
  /** Keys of a resource's rows that came, changed or went since this controller asked last; undefined: all of them may have. */
  moved(resource: string): ReadonlySet<Key> | undefined;
  /** What the controller makes of the rows once and keeps up with moved(). May be empty each time: nothing may be kept here that isn't found again. */
  memory: Map<string, unknown>;
  /** Result of an effect that this key asked for, by the effect's id; gone after the next plan without it. */
  results: ReadonlyMap<string, EffectResult>;
  /** What a creation or deletion of this key's last plan was refused with; undefined once a plan went through. */
  failure: string | undefined;
  /** A random lower-case name suffix of n characters from upstream's alphabet, deterministic per (key, revision, call). */
  suffix(n: number): string;
}

/** What should happen. Applied by the runner in order, through the same chain as any client. */
export interface Plan {
  writes: readonly Write[];
  effects?: readonly Effect[];
  notes?: readonly Note[];
  /** Call again after this many milliseconds even if nothing changes. */
  again?: number;
}
export type Write =
  | { do: 'create'; object: KubeObject; note?: WrittenNote }
  /** Replaces; a conflict makes the key come again. */
  | { do: 'update'; object: KubeObject; subresource?: string; note?: WrittenNote }
  | {
      do: 'patch';
      key: Key;
      patch: JsonObject;
      type?: 'merge' | 'strategic' | 'json' | 'apply';
      subresource?: string;
      note?: WrittenNote;
      apart?: true;
    }
  | {
      do: 'delete';
      key: Key;
      uid?: string;
      revision?: Revision;
      graceSeconds?: number;
      propagation?: 'Background' | 'Foreground' | 'Orphan';
      note?: WrittenNote;
      /** Refused, it keeps no other object's writes from being made; the key comes again all the same. Else a refusal ends the plan. */
      apart?: true;
    }
  /** A POST of a subresource: binding, eviction. */
  | { do: 'post'; key: Key; subresource: string; body: KubeObject };

/** Recorded on `on` once the write went through, or with `failed` when it was refused (the reason's text is appended). */
export interface WrittenNote {
  on: Key;
  reason: string;
  /** Absent: nobody is told that it went through. */
  message?: string;
  /** Reason of the warning. Absent: nobody is told that it was refused. */
  failed?: string;
  /** What the warning says before the refusal's text. Absent: `Error creating: `, `Error deleting: `. */
  refused?: string;
}

/** What needs the world. `id` is stable across rounds, so that an effect already done isn't done twice. */
export interface Effect {
  id: string;
  name: string;
  input: JsonObject;
}
export type EffectResult = { ok: true; value: JsonObject } | { ok: false; error: string };

/** An Event to record on an object (events.k8s.io/v1; aggregated by the runner). */
export interface Note {
  on: Key;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  action?: string;
}
