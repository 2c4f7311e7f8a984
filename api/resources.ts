import type { Kind } from '../kube/kinds/kind.ts';
import { apiVersionOf, groupResource } from '../kube/meta/object.ts';
import type { Steps } from '../kube/meta/steps.ts';
import type { SchemaRef } from '../kube/schema/schema.ts';
import type { PolicyView } from './attributes.ts';
import type { Parts, Resource } from './parts.ts';

/** Finds what a path names. Built-in kinds are indexed once; a cluster's own kinds once per policy revision. */
export interface Resources {
  find(view: PolicyView, group: string, version: string, plural: string): Resource | undefined;
  /** By kind instead of plural. */
  ofKind(view: PolicyView, group: string, version: string, kind: string): Resource | undefined;
  all(view: PolicyView): Iterable<Resource>;
  /** Makes those that nobody has asked for yet, so that all() has nothing left to do. */
  read(view: PolicyView): Steps<void>;
}

/** Resources that are made in one step: each reads shapes. */
const MADE_STEP = 8;

/** The index over a set of kinds. Resources are made on first use: a Worker's start doesn't load every schema. */
export function indexResources(parts: Parts): Resources {
  const builtIn = index(parts.kinds, (kind, ref) => builtInResource(parts, kind, ref));
  const custom = (view: PolicyView): Index | undefined =>
    parts.custom &&
    view.compiled('api.custom-resources', (v) => {
      const of = new Map((parts.custom?.(v) ?? []).map((c) => [c.kind, c]));
      return index([...of.keys()], (kind, ref) => {
        const c = of.get(kind);
        const resource = c && makeResource(kind, ref, c.struct(ref), c.hash, true);
        if (c && resource) resource.decode = (value) => c.decode(ref, value);
        return resource;
      });
    });
  return {
    find(view, group, version, plural) {
      const key = `${group}/${version}/${plural}`;
      return builtIn.byPlural(key) ?? custom(view)?.byPlural(key);
    },
    ofKind(view, group, version, kind) {
      const key = `${group}/${version}/${kind}`;
      return builtIn.byKind(key) ?? custom(view)?.byKind(key);
    },
    *all(view) {
      yield* builtIn.all();
      const c = custom(view);
      if (c) yield* c.all();
    },
    *read(view) {
      yield* builtIn.read();
      const c = custom(view);
      if (c) yield* c.read();
    },
  };
}

interface Index {
  byPlural(key: string): Resource | undefined;
  byKind(key: string): Resource | undefined;
  all(): Iterable<Resource>;
  read(): Steps<void>;
}
type Make = (kind: Kind, ref: SchemaRef) => Resource | undefined;

function index(kinds: readonly Kind[], make: Make): Index {
  const where = new Map<string, { kind: Kind; ref: SchemaRef }>();
  const plurals = new Map<string, string>();
  for (const kind of kinds) {
    for (const ref of kind.served) {
      const key = `${ref.group}/${ref.version}/${kind.plural}`;
      where.set(key, { kind, ref });
      plurals.set(`${ref.group}/${ref.version}/${kind.kind}`, key);
    }
  }
  const made = new Map<string, Resource>();
  const byPlural = (key: string): Resource | undefined => {
    const known = made.get(key);
    if (known) return known;
    const at = where.get(key);
    const resource = at && make(at.kind, at.ref);
    if (resource) made.set(key, resource);
    return resource;
  };
  return {
    byPlural,
    byKind(key) {
      const plural = plurals.get(key);
      return plural === undefined ? undefined : byPlural(plural);
    },
    *all() {
      for (const key of where.keys()) {
        const resource = byPlural(key);
        if (resource) yield resource;
      }
    },
    *read() {
      if (made.size === where.size) return;
      let n = 0;
      for (const key of where.keys()) {
        if (made.has(key)) continue;
        byPlural(key);
        if (++n % MADE_STEP === 0) yield;
      }
    },
  };
}

function builtInResource(parts: Parts, kind: Kind, ref: SchemaRef): Resource | undefined {
  const struct = parts.schemas.kind(ref);
  const stored = kind.served[0];
  return struct && stored && makeResource(kind, ref, struct, parts.schemas.hash(stored), false);
}

function makeResource(
  kind: Kind,
  ref: SchemaRef,
  struct: Resource['struct'],
  hash: string,
  custom: boolean,
): Resource | undefined {
  const stored = kind.served[0];
  return (
    stored && {
      kind,
      ref,
      stored,
      apiVersion: apiVersionOf(ref),
      storedVersion: apiVersionOf(stored),
      name: { group: ref.group, resource: kind.plural },
      key: groupResource(stored.group, kind.plural),
      struct,
      hash,
      custom,
    }
  );
}
