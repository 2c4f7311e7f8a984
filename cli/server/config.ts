import { parse } from 'smol-toml';
import * as v from 'valibot';

/** What the local server reads of wrangler.toml; anything else there is for `wrangler deploy` only. */
const Wrangler = v.object({
  name: v.string(),
  main: v.string(),
  compatibility_date: v.string(),
  compatibility_flags: v.optional(v.array(v.string()), []),
  durable_objects: v.object({ bindings: v.array(v.object({ name: v.string(), class_name: v.string() })) }),
  vars: v.optional(v.record(v.string(), v.string()), {}),
});
export type Wrangler = v.InferOutput<typeof Wrangler>;

/** Parses wrangler.toml's text; throws a ValiError that names what is wrong. */
export function readWrangler(toml: string): Wrangler {
  return v.parse(Wrangler, parse(toml));
}

export interface ServerConfig {
  wrangler: Wrangler;
  /** File name of the bundle, beside the config. */
  bundle: string;
  /** Each as `127.0.0.1:6443`. */
  addresses: readonly string[];
  tls: { keyPem: string; certificatePem: string };
  /** The machine has CA certificates: without them workerd doesn't start when it is to trust them. */
  systemCas: boolean;
  /** Folder of the objects' databases. */
  data: string;
  /** Folder of what machines that join download (../node/assets.ts); none without one. */
  assets?: string;
  /** Folder of the texts for `kubectl explain`, which may be empty. */
  texts: string;
  vars: Readonly<Record<string, string>>;
  /** Path of the control socket (workers/drain.ts), which the supervisor alone opens; none without one. */
  control?: string;
  /** Set for one instance of several. */
  cluster?: ClusterPart;
}

/** What workerd's own cluster mode needs (ClusterConfig in workerd.capnp). The bucket's credentials are in the environment, never here. */
export interface ClusterPart {
  /** `s3://bucket/prefix` */
  bucket: string;
  endpoint?: string | undefined;
  region?: string | undefined;
  credentialsFile?: string | undefined;
  /** `host:port` where other instances reach this one. */
  address: string;
  advertise?: string | undefined;
  key: string;
  stopMs: number;
  unsafePublicAddress: boolean;
}

/**
 * workerd collects the whole heap in one step: 10 to 20 ms for what lives, and 5 us for each request since the last time, whose platform objects go then. So it is to come
 * while nobody asks (workers/rest.ts); where somebody always does, at 192 MB, later at twice what lived. With a limit of half as much again as lived it came each 3,000
 * requests at first (the p99 of a GET was 46 instead of 9 ms), with one of 256 MB after 60,000, for 320 ms. The young generation is small: its collection stops the thread for
 * as long as there are requests and parts of answers in it, and the platform's objects survive it (14 ms with 16 MiB beside a flood of lists, 5 with 8; with 4 a twentieth of
 * a create is collections).
 */
const V8_FLAGS = [
  '--initial-old-space-size=192',
  '--heap-growing-percent=100',
  '--expose-gc',
  '--min-semi-space-size=8',
  '--max-semi-space-size=8',
];

/** A machine has more memory than a hosted isolate: room for some 10,000 pods. */
const ROW_CACHE_MIB = '64';
/** One thread does everything here: what a request waits for is another's work. Where commits go to a bucket, requests mostly wait. */
const SEATS = '4';

// Cap'n Proto text strings escape as C strings do; JSON's escapes are a subset but for \u, which PEM and paths don't hold.
const text = (s: string) => JSON.stringify(s);

function clusterOf(c: ClusterPart | undefined): string {
  if (c === undefined) return '';
  const options = { aws_endpoint: c.endpoint, aws_region: c.region, aws_credentials_file: c.credentialsFile };
  const given = Object.entries(options).flatMap(([k, x]) => (x === undefined ? [] : [text(`${k}=${x}`)]));
  return `
  cluster = (bucket = ${text(c.bucket)}, bucketOptions = [${given.join(', ')}],
    address = ${text(c.address)}, ${c.advertise === undefined ? '' : `advertise = ${text(c.advertise)}, `}key = ${text(c.key)},
    stopTimeoutMs = ${c.stopMs}, unsafePublicAddress = ${c.unsafePublicAddress}),`;
}

const controlOf = (path: string | undefined): string =>
  path === undefined
    ? ''
    : `,
    (name = "control", address = ${text(`unix:${path}`)}, http = (), service = (name = "main", entrypoint = "control"))`;

const socketOf = (name: string, address: string, tls: ServerConfig['tls']): string =>
  `(name = ${text(name)}, address = ${text(address)}, service = "main",
    https = (tlsOptions = (keypair = (privateKey = ${text(tls.keyPem)}, certificateChain = ${text(tls.certificatePem)}))))`;

/** The capnp text config of one workerd process, alone or one of several (design, section 10): same classes, keys and variables as wrangler.toml says. */
export function capnp(c: ServerConfig): string {
  const { wrangler } = c;
  const classes = [...new Set(wrangler.durable_objects.bindings.map((b) => b.class_name))];
  const vars = { ...wrangler.vars, ROW_CACHE_MIB, ...(c.cluster ? {} : { SEATS }), ...c.vars };
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${V8_FLAGS.map(text).join(', ')}],
  services = [
    (name = "main", worker = .worker),
    (name = "do-storage", disk = (path = ${text(c.data)}, writable = true)),
${c.assets === undefined ? '' : `    (name = "assets", disk = (path = ${text(c.assets)})),\n`}    (name = "texts", disk = (path = ${text(c.texts)})),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = ${c.systemCas}))),
  ],
  sockets = [${c.addresses.map((a, i) => socketOf(`https${i || ''}`, a, c.tls)).join(', ')}${controlOf(c.control)}],${clusterOf(c.cluster)}
);
const worker :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed ${text(c.bundle)})],
  compatibilityDate = ${text(wrangler.compatibility_date)},
  compatibilityFlags = [${wrangler.compatibility_flags.map(text).join(', ')}],
  bindings = [
${c.assets === undefined ? '' : `    (name = "ASSETS", service = "assets"),`}
${wrangler.durable_objects.bindings.map((b) => `    (name = ${text(b.name)}, durableObjectNamespace = ${text(b.class_name)}),`).join('\n')}
${Object.entries(vars)
  .map(([k, x]) => `    (name = ${text(k)}, text = ${text(x)}),`)
  .join('\n')}
    (name = "TEXTS", service = "texts"),
  ],
  durableObjectNamespaces = [
${classes.map((k) => `    (className = ${text(k)}, uniqueKey = ${text(`${wrangler.name}-${k}`)}, enableSql = true),`).join('\n')}
  ],
  durableObjectStorage = (localDisk = "do-storage"),
);
`;
}
