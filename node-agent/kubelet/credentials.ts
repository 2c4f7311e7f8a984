import type { AuthConfig } from '../runtime/messages.ts';
import type { References } from './env.ts';
import type { Pod } from './pod.ts';

interface Entry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
}

/** What the default registry is called in credentials. */
const DEFAULT_REGISTRY = 'index.docker.io';

/**
 * What the pod's imagePullSecrets say for an image, in the order in which it is tried: the longest place first, of one place the secrets in
 * the pod's order. Empty when they say nothing. Missing secrets are skipped, as upstream does.
 */
export async function pullCredentials(pod: Pod, image: string, refs: References): Promise<AuthConfig[]> {
  const places = new Map<string, AuthConfig[]>();
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    const data = await refs.secret(pod.metadata.namespace ?? '', name);
    for (const [key, entry] of Object.entries(data ? entriesOf(data) : {})) {
      const auth = authOf(entry);
      const place = placeOf(key);
      if (auth && place) places.set(place, [...(places.get(place) ?? []), auth]);
    }
  }
  const repository = repositoryOf(image);
  const keys = [...places.keys()].sort().reverse();
  const found = keys.filter((k) => placeMatches(k, repository)).flatMap((k) => places.get(k) ?? []);
  if (found.length > 0 || !isOfDefaultRegistry(image)) return found;
  return places.get(DEFAULT_REGISTRY) ?? [];
}

function entriesOf(data: Record<string, Uint8Array>): Record<string, Entry> {
  const text = (bytes: Uint8Array | undefined) => (bytes ? new TextDecoder().decode(bytes) : '{}');
  try {
    const modern = JSON.parse(text(data['.dockerconfigjson'])) as { auths?: Record<string, Entry> };
    return { ...(JSON.parse(text(data['.dockercfg'])) as Record<string, Entry>), ...modern.auths };
  } catch {
    return {}; // a secret that isn't JSON helps nobody; the pull's own failure says what is missing
  }
}

function authOf(e: Entry): AuthConfig | null {
  const [user, ...rest] = e.auth ? Buffer.from(e.auth, 'base64').toString().split(':') : [];
  const username = e.username ?? user;
  if (username === undefined && e.identitytoken === undefined) return null;
  return {
    username: username ?? '',
    password: e.password ?? rest.join(':'),
    ...(e.identitytoken ? { identityToken: e.identitytoken } : {}),
  };
}

/** Host and path that an entry is for; null where its name can't be read. */
function placeOf(key: string): string | null {
  const url = /^(?:https?:\/\/)?([^/]+)(\/.*)?$/.exec(key);
  if (!url) return null;
  const path = (url[2] ?? '').replace(/^\/v[12]\//, '/');
  return path === '/' ? (url[1] ?? '') : `${url[1]}${path}`;
}

/** An image's name without tag and digest, as it is written: without a host it is of the default registry. */
function repositoryOf(image: string): string {
  const bare = image.split('@')[0] ?? '';
  const colon = bare.lastIndexOf(':');
  return colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare;
}

function isOfDefaultRegistry(image: string): boolean {
  const [first = '', ...rest] = repositoryOf(image).split('/');
  return rest.length === 0 || first === 'docker.io' || first === DEFAULT_REGISTRY || !/[.:]/.test(first);
}

/** credentialprovider's URLsMatch: `*` and `?` within each part of the host, the same port, the path as a prefix. */
export function placeMatches(place: string, repository: string): boolean {
  const split = (text: string) => {
    const slash = text.indexOf('/');
    const [host = '', port = ''] = (slash < 0 ? text : text.slice(0, slash)).split(':');
    return { parts: host.split('.'), port, path: slash < 0 ? '' : text.slice(slash) };
  };
  const [glob, target] = [split(place), split(repository)];
  if (glob.port !== target.port || glob.parts.length !== target.parts.length) return false;
  return target.path.startsWith(glob.path) && glob.parts.every((part, i) => partMatches(part, target.parts[i] ?? ''));
}

function partMatches(glob: string, text: string): boolean {
  const pattern = glob
    .replace(/[\\^$+()|{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${pattern}$`).test(text);
}
