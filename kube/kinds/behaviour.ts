import { equalJson, type JsonObject } from '../meta/json.ts';
import { type NameCheck, nameIsDnsSubdomain, nameIsPathSegment } from '../meta/names.ts';
import { at, type KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { copy } from './access.ts';
import type { Context, Kind, WriteSubresource } from './kind.ts';
import { validateKubeFinalizers, validateObjectMeta, validateObjectMetaUpdate } from './objectmeta.ts';

/** What a kind's own file says: everything of Kind but its names, plus what the generic part below is told. */
export interface Behaviour
  extends Partial<
    Omit<
      Kind,
      'served' | 'kind' | 'plural' | 'singular' | 'short' | 'categories' | 'scope' | 'verbs' | 'name' | 'generation'
    >
  > {
  name?: NameCheck;
  /**
   * Members (dotted) whose change raises metadata.generation, which starts at 1. Absent: the kind has no generation of its own.
   */
  counts?: readonly string[];
  /** False: a user's status is not dropped by the main resource although there is a status subresource, or the kind has none and keeps it. */
  dropsStatus?: boolean;
  /** Judged before all else, and if anything is wrong, alone: what upstream allocates before it validates. */
  allocate?(next: KubeObject, prev: KubeObject | null): Issue[];
  /** Upstream validates updates of this kind with the create rules too (a name check may then fail). */
  validatesNameOnUpdate?: boolean;
}

/** Status is the subresource's: dropped on create, kept on update. */
export function keepStatus(next: KubeObject, prev: KubeObject | null): void {
  if (prev?.status === undefined) delete next.status;
  else next.status = copy(prev.status);
}
/** generation starts at 1 and rises when one of the members differs. */
export function count(next: KubeObject, prev: KubeObject | null, members: readonly string[]): void {
  if (prev === null) {
    next.metadata.generation = 1;
    return;
  }
  const old = prev.metadata.generation ?? 0;
  const changed = members.some((m) => !equalJson(at(next, m), at(prev, m)));
  if (changed || old !== 0) next.metadata.generation = changed ? old + 1 : old;
}
/** The status subresource: only status changes (and metadata, as most upstream strategies allow). */
export function onlyStatus(next: KubeObject, prev: KubeObject): void {
  for (const m of Object.keys(next)) if (!NOT_BODY.has(m) && !(m in prev)) delete next[m];
  for (const m in prev) if (!NOT_BODY.has(m)) next[m] = prev[m];
}
const NOT_BODY = new Set(['apiVersion', 'kind', 'metadata', 'status']);

/**
 * The generic part of a strategy around the kind's own: status, generation, metadata's validation, in the order of upstream's
 * rest.BeforeCreate and rest.BeforeUpdate.
 */
export function strategy(b: Behaviour, scope: Kind['scope'], hasStatus: boolean) {
  const namespaced = scope === 'Namespaced';
  const check = b.name ?? nameIsDnsSubdomain;
  const drops = b.dropsStatus ?? hasStatus;
  return {
    prepare(next: KubeObject, prev: KubeObject | null, c: Context): void {
      if (drops) keepStatus(next, prev);
      b.prepare?.(next, prev, c);
      if (b.counts) count(next, prev, b.counts);
    },
    validate(next: KubeObject, prev: KubeObject | null, c: Context): Issue[] {
      const alone = b.allocate?.(next, prev) ?? [];
      if (alone.length > 0) return alone;
      if (prev === null) {
        const own = [
          ...validateObjectMeta(next.metadata, namespaced, check),
          ...validateKubeFinalizers(next.metadata),
          ...(b.validate?.(next, null, c) ?? []),
        ];
        return own.length > 0 ? own : validateObjectMeta(next.metadata, namespaced, nameIsPathSegment);
      }
      return once([...updateMeta(next, prev, namespaced), ...(b.validate?.(next, prev, c) ?? [])]);
    },
  };
}
/** Metadata of an update as rest.ValidateUpdate and then the kind's own ValidateObjectMetaUpdate judge it. */
export function updateMeta(next: KubeObject, prev: KubeObject, namespaced: boolean): Issue[] {
  return [
    ...validateObjectMeta(next.metadata, namespaced, nameIsPathSegment),
    ...validateObjectMetaUpdate(next.metadata, prev.metadata),
    ...validateKubeFinalizers(next.metadata),
  ];
}
/** Each finding once: upstream judges metadata of an update in several places and drops what it has said already. */
export function once(issues: readonly Issue[]): Issue[] {
  if (issues.length < 2) return [...issues];
  const seen = new Set<string>();
  return issues.filter((i) => {
    const text = `${i.type}\0${i.field}\0${i.message}`;
    return !seen.has(text) && seen.add(text);
  });
}

/** The status subresource of a kind whose file says nothing else. */
export function statusOf(
  scope: Kind['scope'],
  own: Partial<Omit<WriteSubresource, 'is' | 'verbs'>> = {},
): WriteSubresource {
  return {
    is: 'view',
    verbs: ['get', 'update', 'patch'],
    prepare: own.prepare ?? onlyStatus,
    validate: (next, prev, c) =>
      once([...updateMeta(next, prev, scope === 'Namespaced'), ...(own.validate?.(next, prev, c) ?? [])]),
  };
}
/** An empty JSON object typed for reads. */
export const NOTHING: JsonObject = Object.freeze({});
