import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { ObjectMeta } from '../../kube/meta/object.ts';

// How endpoints are packed into EndpointSlices: k8s.io/endpointslice reconciler.go.

/** Upstream's --max-endpoints-per-slice. */
export const ENDPOINTS_MAX = 100;

export interface Endpoint extends JsonObject {
  addresses: string[];
  conditions?: JsonObject & { ready?: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  nodeName?: string;
  zone?: string;
  targetRef?: JsonObject & { namespace?: string; name?: string; uid?: string };
  hints?: JsonObject;
}
export interface Slice extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  addressType: string;
  endpoints: Endpoint[];
  ports: JsonObject[];
}
export interface Packed {
  create: Slice[];
  update: Slice[];
  delete: Slice[];
}

/** Slices of equal ports have equal keys, whatever their order. */
export const portsKey = (ports: readonly JsonObject[]): string => ports.map(portKey).sort().join();
const portKey = (p: JsonObject) =>
  JSON.stringify([p.name ?? '', p.protocol ?? 'TCP', p.port ?? null, p.appProtocol ?? null]);

/** Which endpoint it is: others of its attributes may change in place. */
export const endpointKey = (e: Endpoint): string =>
  JSON.stringify([[...e.addresses].sort(), e.hostname ?? '', e.targetRef?.namespace ?? '', e.targetRef?.name ?? '']);

/** EndpointsEqualBeyondHash. */
export const sameBeyondKey = (a: Endpoint, b: Endpoint): boolean =>
  a.nodeName === b.nodeName &&
  a.zone === b.zone &&
  a.conditions?.ready === b.conditions?.ready &&
  a.conditions?.serving === b.conditions?.serving &&
  a.conditions?.terminating === b.conditions?.terminating &&
  equalJson(withoutRevision(a.targetRef), withoutRevision(b.targetRef));
function withoutRevision(ref: JsonObject | undefined): Json | undefined {
  if (ref?.resourceVersion === undefined) return ref;
  const { resourceVersion: _, ...rest } = ref;
  return rest;
}

/**
 * Brings slices of the same ports to the wanted endpoints with as few writes as possible: what changed is changed in place, what is
 * missing fills slices that are written anyway, the rest goes into one slice that it fits or into new ones. Takes `wanted` apart.
 */
export function pack(
  existing: readonly Slice[],
  wanted: Map<string, Endpoint>,
  labels: { of: Record<string, string>; changed(slice: Slice): boolean },
  fresh: () => Slice,
): Packed {
  const unchanged = new Map<string, Slice>();
  const update = new Map<string, Slice>();
  const gone: Slice[] = [];
  for (const slice of existing) {
    const name = slice.metadata.name ?? '';
    const { kept, moved } = keep(slice, wanted);
    if (moved || kept.length !== slice.endpoints.length) {
      if (kept.length === 0) gone.push(slice);
      else update.set(name, { ...relabelled(slice, labels.of), endpoints: kept });
    } else if (labels.changed(slice))
      update.set(name, relabelled({ ...slice, endpoints: [...slice.endpoints] }, labels.of));
    else unchanged.set(name, slice);
  }
  // The fullest first.
  const filling = [...update.values()].sort((a, b) => b.endpoints.length - a.endpoints.length);
  for (const slice of filling) fill(slice, wanted);
  const create: Slice[] = [];
  while (wanted.size > 0) {
    const fits = wanted.size < ENDPOINTS_MAX ? closest([...unchanged.values()], wanted.size) : undefined;
    const slice = fits ? { ...fits, endpoints: [...fits.endpoints] } : fresh();
    fill(slice, wanted);
    if (!fits) create.push(slice);
    else {
      unchanged.delete(slice.metadata.name ?? '');
      update.set(slice.metadata.name ?? '', slice);
    }
  }
  return { create, update: [...update.values()], delete: gone };
}

/** The slice's endpoints that are wanted, as they are wanted; they are placed with that. */
function keep(slice: Slice, wanted: Map<string, Endpoint>): { kept: Endpoint[]; moved: boolean } {
  const kept: Endpoint[] = [];
  let moved = false;
  for (const e of slice.endpoints) {
    const key = endpointKey(e);
    const now = wanted.get(key);
    if (now === undefined) continue;
    // Hints are seen to later, by what the slice has.
    kept.push(now);
    if (!sameBeyondKey(now, e)) moved = true;
    wanted.delete(key);
  }
  return { kept, moved };
}
function fill(slice: Slice, wanted: Map<string, Endpoint>): void {
  for (const [key, e] of wanted) {
    if (slice.endpoints.length >= ENDPOINTS_MAX) return;
    slice.endpoints.push(e);
    wanted.delete(key);
  }
}
const relabelled = (slice: Slice, labels: Record<string, string>): Slice => ({
  ...slice,
  metadata: { ...slice.metadata, labels },
});

/** The slice that will be closest to full with so many more; none where none has the room. */
function closest(slices: readonly Slice[], more: number): Slice | undefined {
  let best: Slice | undefined;
  let least = ENDPOINTS_MAX;
  for (const slice of slices) {
    const left = ENDPOINTS_MAX - (more + slice.endpoints.length);
    if (left >= 0 && left < least) {
      least = left;
      best = slice;
    }
  }
  return best;
}
