import type { JsonObject } from '../../kube/meta/json.ts';
import { milliValue, quantity } from '../../kube/meta/quantity.ts';
import type { Row, View } from '../../kube/reconcile/controller.ts';
import type { Endpoint, Packed, Slice } from './slicepacking.ts';
import { hinted } from './traffichints.ts';

// Hints of EndpointSlices by the annotation topology-mode: Auto: k8s.io/endpointslice topologycache. Endpoints are given to zones as their nodes have CPU.

const ZONE = 'topology.kubernetes.io/zone';
/** Nodes that take no traffic of Services. */
const EXCLUDED = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** How much more than its share a zone's endpoints may get. */
const OVERLOAD = 0.2;
/** Less than so much of an endpoint isn't given. */
const GIVEN_MIN = 0.5;

interface Allocation {
  minimum: number;
  maximum: number;
  desired: number;
}
export interface TopologyEvent {
  type: 'Normal' | 'Warning';
  reason: 'TopologyAwareHintsEnabled' | 'TopologyAwareHintsDisabled';
  message: string;
}
const ENABLED = 'Topology Aware Hints has been enabled';
export const DISABLED = 'Topology Aware Hints has been disabled';

/** Puts hints into what is written, and into what must be written for them. Without enough to go by there are none, and why is told. */
export function topologyHints(all: Packed, unchanged: readonly Slice[], view: View): TopologyEvent | undefined {
  const slices = [...all.create, ...all.update, ...unchanged];
  const allocations = allocate(slices.flatMap((s) => s.endpoints).filter(isReady).length, view);
  if (typeof allocations === 'string') return without(all, unchanged, allocations);
  const given = keep(all, unchanged, allocations);
  for (const slice of [...all.create, ...all.update])
    for (const e of slice.endpoints) {
      if (!isReady(e)) continue;
      if (!e.zone) return without(all, unchanged, 'One or more endpoints do not have a zone specified');
      given.set(e.zone, (given.get(e.zone) ?? 0) + 1);
    }
  const [giving, receiving] = exchange(allocations, given);
  const place = (s: Slice): Slice => ({ ...s, endpoints: s.endpoints.map((e) => placed(e, giving, receiving)) });
  const had = unchanged.some(hasHints);
  all.create = all.create.map(place);
  all.update = all.update.map(place);
  if (given.size === 0) return without(all, unchanged, 'No hints allocated for zones');
  return had ? undefined : { type: 'Normal', reason: 'TopologyAwareHintsEnabled', message: ENABLED };
}
const isReady = (e: Endpoint): boolean => e.conditions?.ready === true;
export const hasHints = (s: Slice): boolean => s.endpoints.some((e) => e.hints !== undefined);

function without(all: Packed, unchanged: readonly Slice[], message: string): TopologyEvent {
  all.create = all.create.map((s) => hinted(s, undefined));
  all.update = all.update.map((s) => hinted(s, undefined));
  const named = new Set(all.update.map((s) => s.metadata.name));
  for (const s of unchanged) if (hasHints(s) && !named.has(s.metadata.name)) all.update.push(hinted(s, undefined));
  return { type: 'Warning', reason: 'TopologyAwareHintsDisabled', message };
}

/** Slices whose hints do stay as they are; what they give each zone. The others are to be written. */
function keep(all: Packed, unchanged: readonly Slice[], allocations: ReadonlyMap<string, Allocation>) {
  const given = new Map<string, number>();
  for (const slice of unchanged) {
    const hints = hintsOf(slice, given, allocations);
    if (hints === undefined) all.update.push(slice);
    else for (const [zone, n] of hints) given.set(zone, (given.get(zone) ?? 0) + n);
  }
  return given;
}
/** getHintsByZone: undefined where a slice lacks hints, has some of no zone, or too many of one. */
function hintsOf(
  slice: Slice,
  given: ReadonlyMap<string, number>,
  allocations: ReadonlyMap<string, Allocation>,
): Map<string, number> | undefined {
  const found = new Map<string, number>();
  for (const e of slice.endpoints) {
    if (!isReady(e)) continue;
    const zones = (e.hints?.forZones ?? []) as { name: string }[];
    if (zones.length === 0) return undefined;
    for (const { name } of zones) {
      if (!allocations.has(name)) return undefined;
      found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  for (const [zone, n] of found)
    if (n + (given.get(zone) ?? 0) > (allocations.get(zone)?.maximum ?? 0)) return undefined;
  return found;
}

/** How many endpoints each zone should have; a text where that can't be told. */
function allocate(endpoints: number, view: View): Map<string, Allocation> | string {
  const ratios = cpuRatios(view.list('nodes'));
  if (ratios === undefined)
    return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
  const counts = `(${endpoints} endpoints, ${ratios.size} zones)`;
  if (ratios.size > endpoints) return `Insufficient number of endpoints ${counts}`;
  const found = new Map<string, Allocation>();
  let total = 0;
  for (const [zone, ratio] of ratios) {
    const desired = ratio * endpoints;
    const minimum = Math.ceil(desired * (1 / (1 + OVERLOAD)));
    found.set(zone, { minimum, maximum: 0, desired: Math.max(desired, minimum) });
    total += minimum;
    if (total > endpoints)
      return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${counts}`;
  }
  for (const a of found.values()) a.maximum = a.minimum + endpoints - total;
  return found;
}
/** Each zone's share of the CPU of ready nodes, by zone; undefined with fewer than two zones, or a node that doesn't say. */
function cpuRatios(nodes: Iterable<Row>): Map<string, number> | undefined {
  const cpu = new Map<string, number>();
  for (const row of nodes) {
    if (EXCLUDED.some((label) => row.labels[label] !== undefined)) continue;
    const status = (row.data.status ?? {}) as {
      conditions?: { type: string; status: string }[];
      allocatable?: JsonObject;
    };
    if (!status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) continue;
    const zone = row.labels[ZONE] ?? '';
    const milli = milliValue(quantity(status.allocatable?.cpu ?? '0'));
    if (zone === '' || milli === 0) return undefined;
    cpu.set(zone, (cpu.get(zone) ?? 0) + milli);
  }
  if (cpu.size < 2) return undefined;
  const total = [...cpu.values()].reduce((a, b) => a + b, 0);
  return new Map([...cpu].sort(([a], [b]) => (a < b ? -1 : 1)).map(([zone, milli]) => [zone, milli / total]));
}

/** What of a node this goes by, as a text. */
export function capacityOf(row: Row): string {
  const status = (row.data.status ?? {}) as {
    conditions?: { type: string; status: string }[];
    allocatable?: JsonObject;
  };
  const ready = status.conditions?.find((c) => c.type === 'Ready')?.status;
  return JSON.stringify([row.labels[ZONE], ready, status.allocatable?.cpu, EXCLUDED.map((l) => row.labels[l])]);
}

/** How many endpoints zones give to others, and get. */
function exchange(
  allocations: ReadonlyMap<string, Allocation>,
  given: ReadonlyMap<string, number>,
): [Map<string, number>, Map<string, number>] {
  const more = new Map<string, number>();
  const less = new Map<string, number>();
  for (const [zone, { desired }] of allocations) {
    const has = given.get(zone) ?? 0;
    if (has > desired) more.set(zone, has - desired);
    else if (has < desired) less.set(zone, desired - has);
  }
  const giving = new Map<string, number>();
  const receiving = new Map<string, number>();
  const add = (to: Map<string, number>, zone: string, n: number) => to.set(zone, (to.get(zone) ?? 0) + n);
  for (;;) {
    const [from, give] = most(more);
    const [to, get] = most(less);
    if (from === '' || to === '' || (give < 1 && get < 1) || give < GIVEN_MIN || get < GIVEN_MIN) break;
    add(giving, from, 1);
    add(more, from, -1);
    add(receiving, to, 1);
    add(less, to, -1);
  }
  return [giving, receiving];
}
function most(zones: ReadonlyMap<string, number>): [string, number] {
  let found: [string, number] = ['', 0];
  for (const [zone, n] of zones) if (n > found[1]) found = [zone, n];
  return found;
}

/** An endpoint with the hint for its own zone, or for one that gets it. */
function placed(e: Endpoint, giving: Map<string, number>, receiving: Map<string, number>): Endpoint {
  const { hints: _, ...rest } = e;
  if (!isReady(e) || !e.zone) return rest;
  let zone = e.zone;
  const [to] = receiving.keys();
  if (to !== undefined && giving.has(zone)) {
    take(giving, zone);
    take(receiving, to);
    zone = to;
  }
  return { ...rest, hints: { forZones: [{ name: zone }] } };
}
function take(from: Map<string, number>, zone: string): void {
  const left = (from.get(zone) ?? 0) - 1;
  if (left > 0) from.set(zone, left);
  else from.delete(zone);
}
