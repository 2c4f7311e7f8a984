import type { JsonObject } from '../../kube/meta/json.ts';
import { equalJson } from '../../kube/meta/json.ts';
import type { Service } from './servicepods.ts';
import type { Endpoint, Slice } from './slicepacking.ts';

// Hints of EndpointSlices by spec.trafficDistribution: k8s.io/endpointslice trafficdist.

/** By zone, by zone and node, or none. */
export type Hints = 'zone' | 'node' | undefined;
const BY_DISTRIBUTION: Readonly<Record<string, Hints>> = {
  PreferClose: 'zone',
  PreferSameZone: 'zone',
  PreferSameNode: 'node',
};
/** The annotations that have the word before the field. */
const MODES = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];

/** An annotation asks for hints by topology: then the field isn't asked. */
export function wantsTopology(annotations: Readonly<Record<string, string>> = {}): boolean {
  const mode = MODES.map((m) => annotations[m]).find((m) => m !== undefined);
  return mode === 'Auto' || mode === 'auto';
}

/** What hints the field of a Service asks for. */
export function wantsHints(service: Service): Hints {
  if (wantsTopology(service.metadata.annotations)) return undefined;
  return BY_DISTRIBUTION[service.spec.trafficDistribution ?? ''];
}

/** The slice with the hints it should have; itself where it has them. */
export function hinted(slice: Slice, mode: Hints): Slice {
  let changed = false;
  const endpoints = slice.endpoints.map((e): Endpoint => {
    // One that isn't ready keeps what it has, unless nobody wants hints.
    if (mode !== undefined && e.conditions?.ready !== true) return e;
    const hints = hintsOf(e, mode);
    if (equalJson(hints ?? {}, e.hints ?? {})) return e;
    changed = true;
    const { hints: _, ...rest } = e;
    return hints === undefined ? rest : { ...rest, hints };
  });
  return changed ? { ...slice, endpoints } : slice;
}
function hintsOf(e: Endpoint, mode: Hints): JsonObject | undefined {
  const forZones = mode && e.zone !== undefined ? [{ name: e.zone }] : undefined;
  const forNodes = mode === 'node' && e.nodeName !== undefined ? [{ name: e.nodeName }] : undefined;
  if (!forZones && !forNodes) return undefined;
  return { ...(forZones ? { forZones } : {}), ...(forNodes ? { forNodes } : {}) };
}
