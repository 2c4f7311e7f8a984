/** Which store object of a cluster holds a resource. `main` is the TenantStore itself; the others are sibling objects of the same class. */
export type Placement = 'main' | 'events' | 'leases';
/** All but the main one. */
export const SIBLINGS = ['events', 'leases'] as const;

const TABLE: Readonly<Record<string, Placement>> = {
  // Hot and short-lived: outside fork, restore and time travel.
  events: 'events',
  'events.events.k8s.io': 'events',
  'leases.coordination.k8s.io': 'leases',
};

/** The one place that says where an object lives; every caller asks it. `resource` is groupResource(). */
export function placement(resource: string, _namespace: string): Placement {
  return TABLE[resource] ?? 'main';
}

/** Name of the object that holds a part of a cluster. A cluster's id has no slash. */
export function storeName(cluster: string, part: Placement): string {
  return part === 'main' ? cluster : `${cluster}/${part}`;
}

/** The cluster and part of an object's name. */
export function parseStoreName(name: string): { cluster: string; part: Placement } {
  const slash = name.indexOf('/');
  return slash < 0
    ? { cluster: name, part: 'main' }
    : { cluster: name.slice(0, slash), part: name.slice(slash + 1) as Placement };
}
