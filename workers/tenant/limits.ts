import * as v from 'valibot';

/** Row of a cluster's own limits: its deciding part says what differs from the endpoint's. Not served by any kind. */
export const LIMITS_RESOURCE = 'clusterlimits.coracle.dev';
export const LIMITS_KEY = `${LIMITS_RESOURCE}/main`;

/** What one cluster may use. Objects, bytes and watches are counted by each of its store objects (main, events, leases), requests by each isolate. */
export interface Limits {
  /** Objects that stand. */
  objects: number;
  /** Bodies of the objects that stand, in UTF-16 units. */
  bytes: number;
  /** Watches under way. */
  watches: number;
  /** Requests per second, in the long run. */
  requests: number;
  /** CustomResourceDefinitions. */
  crds: number;
}

/**
 * Objects: a list of them, and a loop's first look, stay within seconds. Bytes: with their history within the platform's 10 GB. Watches: a flush to all of them stays
 * within the window of 50 ms. Requests: more than one isolate serves. CRDs: their schemas are in every View.
 */
export const DEFAULT_LIMITS: Limits = {
  objects: 100_000,
  bytes: 1024 * 1024 * 1024,
  watches: 2_000,
  requests: 10_000,
  crds: 500,
};

const Count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)));
/** Some limits, as an operator gives them. */
export const SomeLimits = v.strictObject({
  objects: Count,
  bytes: Count,
  watches: Count,
  requests: Count,
  crds: Count,
});
export type SomeLimits = v.InferOutput<typeof SomeLimits>;

/** What a text says; '' and undefined say nothing. Throws where it is no JSON of SomeLimits. */
export function someLimits(text: string | undefined): SomeLimits {
  return text === undefined || text === '' ? {} : v.parse(v.pipe(v.string(), v.parseJson(), SomeLimits), text);
}

/** Limits where some replace others. `text`: JSON of SomeLimits; '' and undefined replace nothing. Throws where it isn't that. */
export function limitsWith(defaults: Limits, text: string | undefined): Limits {
  if (text === undefined || text === '') return defaults;
  const some = someLimits(text);
  const limits = { ...defaults };
  for (const name of Object.keys(limits) as (keyof Limits)[]) limits[name] = some[name] ?? limits[name];
  return limits;
}
