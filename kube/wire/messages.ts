import * as v from 'valibot';

/**
 * What the agent and the cloud say to each other. Versioned: the agent sends `wire` in its hello, the cloud answers with the version that both speak;
 * agents up to three minors old are served. Control frames are JSON texts; liveness is the bare text PING, which the
 * platform's auto-response answers with PONG without waking the object. Streams are sockets of their own and carry opaque bytes.
 */
export const WIRE_VERSION = 1;
export const PING = 'p';
export const PONG = 'q';
/** The agent sends PING this often. */
export const PING_MS = 10_000;
/** No PING for this long: the link is dead, the node's Lease stops being renewed. */
export const DEAD_MS = 40_000;
/** A link of which nothing was heard for this long may be dead: the agent renews its Lease itself again. */
export const DOUBT_MS = 25_000;
/** Annotation of a node's Lease that its tunnel renews: what is read of it has the time at which the node was last heard of. */
export const RENEWED_BY = 'coracle.dev/renewed-by';
/** A control frame is at most this long: it holds names and numbers only. */
export const MAX_FRAME_BYTES = 64 * 1024;

/** agent -> cloud, first frame. */
export const Hello = v.object({
  type: v.literal('hello'),
  wire: v.pipe(v.number(), v.integer(), v.minValue(1)),
  node: v.pipe(v.string(), v.minLength(1), v.maxLength(253)),
  agent: v.pipe(v.string(), v.maxLength(64)),
});
/** cloud -> agent. */
export const Welcome = v.object({ type: v.literal('welcome'), wire: v.number() });
/** cloud -> agent: something of yours changed; read your node feed. */
export const Wake = v.object({ type: v.literal('wake'), revision: v.number() });
/** cloud -> agent: dial this stream. `path` is relative to the cluster's URL; the ticket is single-use and short-lived. */
export const Dial = v.object({
  type: v.literal('dial'),
  stream: v.string(),
  path: v.string(),
  ticket: v.string(),
  kind: v.picklist(['log', 'exec', 'attach', 'portforward', 'proxy']),
  namespace: v.string(),
  pod: v.string(),
  uid: v.string(),
  /** WebSocket subprotocols that the client offers, in its order; absent for plain requests. */
  protocols: v.optional(v.array(v.string())),
  /** Options of the subresource as JSON. */
  options: v.record(v.string(), v.unknown()),
});
/** cloud -> agent: leave; the cluster is gone or the node's credential is. */
export const Bye = v.object({ type: v.literal('bye'), reason: v.string() });

export const FromAgent = v.variant('type', [Hello]);
export const FromCloud = v.variant('type', [Welcome, Wake, Dial, Bye]);
export type FromAgent = v.InferOutput<typeof FromAgent>;
export type FromCloud = v.InferOutput<typeof FromCloud>;
export type Dial = v.InferOutput<typeof Dial>;

/**
 * A stream socket (agent -> relay) opens with the answer's Head in the request header `coracle-head` (percent-encoded JSON). Status 101: the relay
 * couples the two sockets and every frame is the client's. Status 102: the relay first sends the request's body as the agent grants it, and the answer's
 * head comes as a frame. Any other status: binary frames are the body, text frames are Credit and End.
 */
export const Head = v.object({
  status: v.pipe(v.number(), v.integer(), v.minValue(101), v.maxValue(599)),
  headers: v.optional(v.record(v.string(), v.string())),
  /** Body of a refusal, sent without an upgrade. */
  error: v.optional(v.string()),
});
/** The receiver of a body grants bytes; the sender never has more under way than this. */
export const CREDIT_BYTES = 1024 * 1024;
export const Credit = v.object({ type: v.literal('credit'), bytes: v.pipe(v.number(), v.integer(), v.minValue(1)) });
/** No more bytes in this direction. */
export const End = v.object({ type: v.literal('end'), error: v.optional(v.string()) });
/** agent -> relay, after a head with status 102: the answer's own. Its body follows. */
export const HeadFrame = v.object({ type: v.literal('head'), head: Head });
export const StreamFrame = v.variant('type', [Credit, End, HeadFrame]);
/** What a proxied request's headers may take: they go down in the dial request, a control frame. */
export const PROXIED_HEADER_BYTES = 32 * 1024;
export type Head = v.InferOutput<typeof Head>;
export type StreamFrame = v.InferOutput<typeof StreamFrame>;
