import type { Kind } from '../kube/kinds/kind.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { ResourceName } from '../kube/meta/status.ts';
import type { SchemaRef, Schemas, Struct } from '../kube/schema/schema.ts';
import type { Admission, Authenticator, Authorizer, ClusterContext, PolicyView } from './attributes.ts';
import type { Call } from './call.ts';
import type { Settled } from './decode.ts';

/** What createApi is made of. Everything about a tenant comes with the request's ClusterContext instead. */
export interface Parts {
  kinds: readonly Kind[];
  schemas: Schemas;
  /** Asked in order; the first that knows a token decides. */
  authenticators: readonly Authenticator[];
  /** Asked in order; the first opinion decides, none denies. */
  authorizers: readonly Authorizer[];
  /** One ordered array: mutate runs for all, then validate for all. */
  admission: readonly Admission[];
  /** Kinds that a cluster defines itself (CustomResourceDefinitions), compiled from its View. */
  custom?: (view: PolicyView) => readonly CustomKind[];
  /** POSTs that do something: subresources (`pods/eviction`) and virtual kinds (`tokenreviews.authentication.k8s.io`), by name. */
  actions?: Readonly<Record<string, Action>>;
  /** Descriptions for `kubectl explain`, by struct and field; absent = documents without texts. */
  describe?: (struct: string, field?: string) => string | undefined;
  /** Answers paths that are neither resources nor ours (`/apis/<group>/<version>` of an aggregated API server); undefined = not its own. */
  aggregate?: (call: Call) => Promise<Response | undefined>;
}

/** A kind made at run time with the shape that it's served in. */
export interface CustomKind {
  kind: Kind;
  struct(ref: SchemaRef): Struct;
  /** Prunes and defaults a body of that version by the kind's own schema; may change it. */
  decode(ref: SchemaRef, value: JsonObject): Settled;
  hash: string;
}

/** What a POST of another kind does: takes the decoded body, gives the answer's object. */
export interface Action {
  /** The answer is the body with more in it: managedFields say who sent it. */
  echoes?: boolean;
  run(call: Call, resource: Resource, body: ActionBody): Promise<ActionResult>;
}
export type ActionBody = import('../kube/meta/object.ts').KubeObject;
export interface ActionResult {
  /** The answer; kind and apiVersion are the action's own when absent. A Status is sent as it is. */
  object: ActionBody;
  /** 201 when absent. */
  code?: number;
}

/** One resource at one version as a request names it: the kind, its shape, and what the store calls it. */
export interface Resource {
  kind: Kind;
  /** The group and version asked for. */
  ref: SchemaRef;
  /** The storage version. */
  stored: SchemaRef;
  /** `apps/v1`, as asked. */
  apiVersion: string;
  /** apiVersion of stored rows. */
  storedVersion: string;
  /** How messages name it. */
  name: ResourceName;
  /** groupResource() of the storage version: the first part of its keys. */
  key: string;
  struct: Struct;
  /** Schemas.hash of the storage version. */
  hash: string;
  /** Of a custom kind: CustomKind.decode at this version. */
  decode?: (value: JsonObject) => Settled;
  /** Items of its lists carry kind and apiVersion, as upstream's unstructured ones do. */
  custom: boolean;
}

export type { ClusterContext };
