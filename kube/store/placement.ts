/** Which store object of a cluster holds a resource. `main` is the TenantStore itself; the others are sibling objects of the same class. */
export type Placement = 'main' | 'events' | 'leases';

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
