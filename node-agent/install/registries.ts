import { isAbsolute } from 'node:path';
import * as v from 'valibot';

// Mirrors and credentials of image registries in the form of k3s's registries.yaml, and what containerd is told of them. Pure.

const text = (what: string) => v.pipe(v.string(`${what}: a text is needed`), v.nonEmpty(`${what}: a text is needed`));
const file = (what: string) => v.pipe(text(what), v.check(isAbsolute, `${what}: an absolute path is needed`));

const Mirror = v.strictObject({
  endpoint: v.optional(v.nullable(v.array(text('endpoint'))), []),
  rewrite: v.optional(v.nullable(v.record(v.string(), v.string()))),
});
const Auth = v.pipe(
  v.strictObject({
    username: v.optional(v.string()),
    password: v.optional(v.string()),
    auth: v.optional(v.string()),
    identity_token: v.optional(v.string()),
  }),
  v.check(
    (a) => a.username !== undefined || a.auth !== undefined || a.identity_token !== undefined,
    'auth: username and password, auth, or identity_token is needed',
  ),
);
const Tls = v.strictObject({
  ca_file: v.optional(file('ca_file')),
  cert_file: v.optional(file('cert_file')),
  key_file: v.optional(file('key_file')),
  insecure_skip_verify: v.optional(v.boolean()),
});
const Config = v.strictObject({ auth: v.optional(v.nullable(Auth)), tls: v.optional(v.nullable(Tls)) });

/** The file, parsed. What it may not say is refused: nothing in it is passed over. */
export const Registries = v.pipe(
  v.strictObject({
    mirrors: v.optional(v.nullable(v.record(v.string(), v.nullable(Mirror)))),
    configs: v.optional(v.nullable(v.record(v.string(), v.nullable(Config)))),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const message of problems(dataset.value)) addIssue({ message });
  }),
);
export type Registries = v.InferOutput<typeof Registries>;
type Config = v.InferOutput<typeof Config>;

function problems(r: Registries): string[] {
  const found: string[] = [];
  for (const host of [...Object.keys(r.mirrors ?? {}), ...Object.keys(r.configs ?? {})])
    if (host !== '*' && !HOST.test(host))
      found.push(`${JSON.stringify(host)} is no registry's host, with a port or without`);
  for (const [host, mirror] of Object.entries(r.mirrors ?? {})) {
    for (const e of mirror?.endpoint ?? [])
      if (endpointOf(e) === null) found.push(`mirrors ${host}: endpoint ${e} is no URL of http or https`);
    for (const pattern of Object.keys(mirror?.rewrite ?? {}))
      if (!isPattern(pattern)) found.push(`mirrors ${host}: rewrite ${pattern} is no regular expression`);
  }
  for (const [host, c] of Object.entries(r.configs ?? {})) {
    if (host === '*' && (c?.auth || c?.tls))
      found.push('configs *: containerd has credentials and TLS of single registries only: name each');
    if ((c?.tls?.cert_file === undefined) !== (c?.tls?.key_file === undefined))
      found.push(`configs ${host}: cert_file and key_file belong together`);
  }
  return found;
}

const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;

function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}

/** Where a registry is asked: `url` as containerd writes it, without the path of the API where it is the usual one. */
export interface Endpoint {
  url: string;
  /** Host and port, as `configs` calls it. */
  registry: string;
  /** The URL has a path that takes the place of /v2. */
  overridePath: boolean;
  tls?: v.InferOutput<typeof Tls>;
  /** Repositories are asked for by another name: patterns in their order. */
  rewrite: readonly (readonly [pattern: string, replacement: string])[];
}

/** Registry host (or `*`) to its endpoints, first to last. */
export type Hosts = Record<string, { endpoints: Endpoint[]; fallback: Endpoint | null }>;

const LOCAL = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;

/** k3s's reading of an endpoint: without a scheme https, but http on a port of this machine unless the file has TLS for it; no path, `/` and `/v2` are the usual one. Null for what is none. */
export function endpointOf(
  given: string,
  hasTls: (registry: string) => boolean = () => false,
): Omit<Endpoint, 'rewrite'> | null {
  const [, scheme = '', rest = ''] = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):\/\/)?(.*)$/.exec(given) ?? [];
  const [, host = '', path = ''] = /^([^/?#]+)(\/[^?#]*)?$/.exec(rest) ?? [];
  if (!HOST.test(host) || !['', 'http', 'https'].includes(scheme)) return null;
  const port = /:(\d+)$/.exec(host)?.[1];
  const plain =
    scheme === 'http' || (scheme === '' && LOCAL.test(host) && port !== undefined && port !== '443' && !hasTls(host));
  const overridePath = !['', '/', '/v2', '/v2/'].includes(path);
  const at = host === DOCKER ? DOCKER_HOST : host;
  return {
    url: `${plain ? 'http' : 'https'}://${at}${overridePath ? path.replace(/\/$/, '') : '/v2'}`,
    registry: host === DOCKER_HOST ? DOCKER : host,
    overridePath,
  };
}

/** Docker Hub by the name in images, and by that of its machine. */
const DOCKER = 'docker.io';
const DOCKER_HOST = 'registry-1.docker.io';

const configOf = (r: Registries, registry: string): Config | null =>
  (registry === DOCKER ? r.configs?.[DOCKER_HOST] : undefined) ?? r.configs?.[registry] ?? null;

/** Who is asked for each registry that the file names. The registry itself comes last, by its own name, as k3s has it. */
export function hostsOf(r: Registries): Hosts {
  const hosts: Hosts = {};
  const tlsOf = (registry: string) => {
    const tls = configOf(r, registry)?.tls;
    return tls ? { tls } : {};
  };
  const hasTls = (registry: string) => tlsOf(registry).tls !== undefined;
  const fallbackOf = (host: string): Endpoint | null => {
    const own = host === '*' ? null : endpointOf(host, hasTls);
    return own && { ...own, ...tlsOf(host), rewrite: [] };
  };
  for (const [host, mirror] of Object.entries(r.mirrors ?? {})) {
    const rewrite = Object.entries(mirror?.rewrite ?? {});
    const seen = new Set<string>();
    const endpoints = (mirror?.endpoint ?? []).flatMap((given) => {
      const e = endpointOf(given, hasTls);
      if (e === null || seen.has(e.url)) return [];
      seen.add(e.url);
      return [{ ...e, ...tlsOf(e.registry), rewrite }];
    });
    const fallback = fallbackOf(host);
    // Named as its own last mirror it isn't asked twice.
    const last = endpoints.at(-1);
    if (last && last.url === fallback?.url && rewrite.length === 0) endpoints.pop();
    hosts[host] = { endpoints, fallback };
  }
  for (const host of Object.keys(r.configs ?? {})) hosts[host] ??= { endpoints: [], fallback: fallbackOf(host) };
  for (const [host, h] of Object.entries(hosts)) if (h.endpoints.length === 0 && !h.fallback?.tls) delete hosts[host];
  return hosts;
}

/** The name of a repository at a mirror with these rewrites: the first pattern that is found in it counts. */
export function rewritten(repository: string, rewrite: Endpoint['rewrite']): string {
  for (const [pattern, replacement] of rewrite) {
    const found = new RegExp(pattern);
    // Go's ${1} is $1 here.
    if (found.test(repository))
      return repository.replace(new RegExp(pattern, 'g'), replacement.replace(/\$\{(\w+)\}/g, '$$$1'));
  }
  return repository;
}

/** A TOML basic string is written as a JSON string. */
const q = (s: string) => JSON.stringify(s);

function tlsLines(tls: Endpoint['tls']): string {
  if (!tls) return '';
  const lines = [
    ...(tls.ca_file === undefined ? [] : [`ca = [${q(tls.ca_file)}]`]),
    ...(tls.cert_file === undefined ? [] : [`client = [[${q(tls.cert_file)}, ${q(tls.key_file ?? '')}]]`]),
    ...(tls.insecure_skip_verify ? ['skip_verify = true'] : []),
  ];
  return lines.map((l) => `  ${l}\n`).join('');
}

/**
 * hosts.toml of one registry. Containerd asks the registry itself last; with TLS of its own that is named as a host too, for a file without
 * hosts is passed over by containerd 1.6.
 */
export function hostsFile({ endpoints, fallback }: Hosts[string]): string {
  const server = fallback ? `server = ${q(fallback.url)}\n${tlsLines(fallback.tls)}` : '';
  const hosts = [...endpoints, ...(fallback?.tls ? [fallback] : [])].map(
    (e) =>
      `\n[host.${q(e.url)}]\n  capabilities = ["pull", "resolve"]\n${e.overridePath ? '  override_path = true\n' : ''}${tlsLines(e.tls)}`,
  );
  return server + hosts.join('');
}

/** The folder of a registry's hosts.toml. */
export const hostsFolder = (host: string): string => (host === '*' ? '_default' : host);

/** Credentials, as containerd's configuration has them: by the host that it asks. */
export function authToml(r: Registries, aliases: Readonly<Record<string, string>> = {}): string {
  const section = (host: string, auth: NonNullable<Config['auth']>) => {
    const { identity_token: identitytoken, ...rest } = auth;
    const lines = Object.entries({ ...rest, identitytoken }).flatMap(([k, x]) =>
      x === undefined ? [] : [`  ${k} = ${q(x)}\n`],
    );
    return `\n[plugins."io.containerd.grpc.v1.cri".registry.configs.${q(host)}.auth]\n${lines.join('')}`;
  };
  const own = Object.entries(r.configs ?? {}).flatMap(([host, c]) => {
    if (!c?.auth) return [];
    return [section(host === DOCKER ? DOCKER_HOST : host, c.auth)];
  });
  const others = Object.entries(aliases).flatMap(([host, registry]) => {
    const auth = configOf(r, registry)?.auth;
    return auth ? [section(host, auth)] : [];
  });
  return [...own, ...others].join('');
}
