/**
 * What the object knows of a row without reading its body; extracted once, by the Worker that writes.
 * Everything that a selector, the garbage collector, an authorizer or a quota asks for is here.
 */
export interface Facts {
  uid: string;
  labels?: Record<string, string>;
  /** Selectable fields except metadata.name and metadata.namespace, which the key holds. */
  fields?: Record<string, string>;
  /** uids of metadata.ownerReferences. */
  owners?: string[];
  /** Keys of objects that this one names (a pod's Secrets, ConfigMaps, PVCs, ServiceAccount): for the Node authorizer. */
  refs?: string[];
  /** spec.nodeName of a pod; the name of a node. */
  node?: string;
  /**
   * The deciding part of an object that authorization or admission rests on (a Role's rules, a Namespace's phase and uid), as canonical JSON text.
   * The policy revision moves exactly when this text changes.
   */
  policy?: string;
  /** deletionTimestamp is set. */
  terminating?: boolean;
  /** metadata.generation of a pod: moves when its spec does. */
  generation?: number;
  /** What others decide by in a node, as text: all but labels, and what its reports repeat. Rows of older releases have none. */
  standing?: string;
}
