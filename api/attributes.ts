import type { Kind } from '../kube/kinds/kind.ts';
import type { Env } from '../kube/meta/env.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { FieldRequirement } from '../kube/meta/selectors.ts';
import type { FieldTexts } from '../kube/schema/openapi.ts';
import type { PageCache } from '../kube/store/pagecache.ts';
import type { Rows } from '../kube/store/rowcache.ts';
import type { Assume, Fence, Key, Revision, Stale, Store } from '../kube/store/store.ts';
import type { OidcIssuer } from './authn/oidc.ts';

/** Who asks: authentication's result, authentication.k8s.io/v1 UserInfo. */
export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
  /** Objects that must exist for the credential to count (bound ServiceAccount tokens): joined to every store call's assume. */
  bound?: readonly { key: Key; uid?: string }[];
}

/** What is asked, parsed from the path: apiserver pkg/endpoints/request RequestInfo. */
export interface RequestInfo {
  isResource: boolean;
  path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection, connect's verbs by method; for other paths the lower-case method. */
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** Path segments after the subresource (proxy). */
  rest: readonly string[];
  /** fieldSelector of list, watch and deletecollection, parsed: the Node authorizer allows a node its own pods by it. Absent = none. */
  fields?: readonly FieldRequirement[];
}

/** What admission sees; `object` and `oldObject` are in the version asked for. */
export interface Attributes extends RequestInfo {
  user: User;
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  kind: Kind | undefined;
  object: KubeObject | null;
  oldObject: KubeObject | null;
  options: JsonObject;
  dryRun: boolean;
  /** Warnings to send as Warning headers. */
  warn(text: string): void;
  annotate(key: string, value: string): void;
}

/** What the chain decides on: the deciding parts of RBAC objects, namespaces, ServiceAccounts, ..., per cluster, in the isolate, at one policy revision. */
export interface PolicyView {
  revision: Revision;
  /** The deciding part (Facts.policy, parsed) of an object; undefined when the object doesn't exist. */
  get(key: Key): { uid: string; data: JsonObject } | undefined;
  /** Keys and deciding parts of a resource, of one namespace when given. */
  list(resource: string, namespace?: string): Iterable<{ key: Key; uid: string; data: JsonObject }>;
  /** Takes a Stale's changes in. Compiled forms (RBAC index) are dropped with the revision. */
  apply(stale: Stale): void;
  /** A slot for what is compiled from the view; made anew when the revision moved. */
  compiled<T>(name: string, make: (view: PolicyView) => T): T;
}

/** Denied with upstream's words; 'no-opinion' falls through to the next authorizer. */
export type Decision = { allow: true; reason: string } | { allow: false; reason: string } | 'no-opinion';
export interface Authorizer {
  name: string;
  authorize(user: User, a: RequestInfo, view: PolicyView, store: Store): Decision | Promise<Decision>;
}
/** null = not this authenticator's credential; throws StatusError 401 for a bad one of its own. */
export interface Authenticator {
  name: string;
  authenticate(token: string, c: ClusterContext): Promise<User | null>;
}

export type Denial = { code?: number; reason?: string; message: string };
/** One admission plugin. api/admission/index.ts is one ordered array. `mutate` runs for all, then `validate` for all. */
export interface Admission {
  name: string;
  handles(a: Attributes): boolean;
  mutate?(a: Attributes, c: AdmissionContext): Promise<void> | void;
  /** A Denial becomes 403 `<resource> "<name>" is forbidden: <message>` unless it says otherwise; it may also throw a StatusError. */
  validate?(a: Attributes, c: AdmissionContext): Promise<Denial | undefined> | Denial | undefined;
}
export interface AdmissionContext {
  view: PolicyView;
  cluster: ClusterContext;
  /** Adds to the assumptions of the coming store call. */
  assume(exist: { key: Key; uid?: string }): void;
  authorize(user: User, a: RequestInfo): Promise<Decision>;
  /** Decides by the namespace's quotas, as they stand, what becomes of them (those that change; it throws what refuses); the write's own commit carries it out. */
  charge?(decide: (quotas: readonly KubeObject[]) => KubeObject[]): Promise<void>;
  /** Waits for an object that the View lacks, `tries` looks `ms` apart; when it comes, the request is decided anew. Returns when it didn't. */
  awaitObject?(key: Key, tries: number, ms: number): Promise<void>;
}

/** One tenant cluster as a request sees it; made per request by the composition root, its view cached per isolate. */
export interface ClusterContext {
  /** The cluster's id: a DNS label. */
  id: string;
  env: Env;
  /** Answers for any placement: routes by kube/store/placement.ts. */
  store(resource: string, namespace: string): Store;
  view: PolicyView;
  /** Rows of the cluster as this process last saw them: where updates and deletions start. Absent: they read first. */
  rows?: Rows;
  /** Pages of lists as this process last saw them; the store confirms each before it is served. */
  pages?: PageCache;
  /** Signing keys, issuer, CA; absent parts mean that what needs them is refused. */
  keys: ClusterKeys;
  /** `https://host[/clusters/<id>]`, without a slash at the end. */
  url: string;
  /** Where the cluster's own path begins in the URL of the request; undefined = after its host. */
  pathAt?: number | undefined;
  /** Opens a stream to a pod's node: log, exec, attach, portforward, node proxy. */
  connect?: (node: string, request: ConnectRequest) => Promise<Response>;
  /** The answer's body is being made until this settles: for so long the request counts as under way. */
  streams?(ended: Promise<void>): void;
  /** Gives up the thread between two slices of long work, until what came over the network meanwhile has had its turn, and `ms` longer. Absent: nobody else is there. */
  turn?(ms?: number): Promise<void>;
  /** True when no other cluster has had a request here lately: slices may be longer. Absent: false. */
  alone?(): boolean;
  /** The answer's body goes straight to a client, part by part: what has been sent may be taken back. */
  sends?: boolean;
  /** The cluster's nodes run our agent: pods that ask for what it doesn't carry out are refused. Absent: they aren't. */
  ownNodes?: boolean;
  /** Texts of kinds and fields for OpenAPI documents of this minor; absent, or undefined: there are none here. */
  texts?(minor: string): Promise<FieldTexts | undefined>;
  /** Runs after the response is sent. */
  waitUntil(p: Promise<unknown>): void;
  /** Calls `end` when this process is about to stop: answers without an end of their own end then. Gives what takes it back. */
  onDrain?: (end: () => void) => () => void;
}
export interface ClusterKeys {
  /** Issuer of ServiceAccount tokens. */
  issuer: string;
  /** Private JWKs (first signs); RS256 or ES256. */
  signing: readonly JsonWebKey[];
  /** PEM of the cluster's CA certificate. */
  ca: string;
  /** Static tokens by SHA-256 hex of the token (account keys, admin tokens). */
  tokens: Readonly<Record<string, User>>;
  /** Trusted issuers of ID tokens; none when absent. */
  oidc?: readonly OidcIssuer[];
}
/** What the node is asked, with the client's request for upgrades. */
export interface ConnectRequest {
  kind: 'log' | 'exec' | 'attach' | 'portforward' | 'proxy';
  namespace: string;
  pod: string;
  uid: string;
  /** Query options of the subresource (PodLogOptions, PodExecOptions, ...), validated. */
  options: JsonObject;
  request: Request;
}

/** Identity and fence of a caller inside the control plane: arguments, never headers. */
export interface Caller {
  user: User;
  fence?: Fence;
  assume?: Assume;
}
