import type { AuthConfig } from '../runtime/messages.ts';
import { normalizeReference } from '../runtime/reference.ts';
import type { References } from './env.ts';
import type { Pod } from './pod.ts';

interface Entry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
}

/** What the pod's imagePullSecrets say for an image's registry; undefined when they say nothing. Missing secrets are skipped, as upstream does. */
export async function pullCredentials(pod: Pod, image: string, refs: References): Promise<AuthConfig | undefined> {
  const name = normalizeReference(image);
  for (const { name: secret } of pod.spec.imagePullSecrets ?? []) {
    const data = await refs.secret(pod.metadata.namespace ?? '', secret);
    const found = data && match(entriesOf(data), name);
    if (found) return found;
  }
  return undefined;
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

/** The entry whose host and path the image's name begins with, the longest first: credentialprovider's keyring. */
function match(entries: Record<string, Entry>, image: string): AuthConfig | undefined {
  const keys = Object.keys(entries).sort((a, b) => b.length - a.length);
  for (const key of keys) {
    const place = key
      .replace(/^https?:\/\//, '')
      .replace(/\/(v[12]\/?)?$/, '')
      .replace(/^index\.docker\.io/, 'docker.io');
    if (image !== place && !image.startsWith(`${place}/`)) continue;
    const e = entries[key] ?? {};
    const [user, ...rest] = e.auth ? Buffer.from(e.auth, 'base64').toString().split(':') : [];
    const username = e.username ?? user;
    if (username === undefined && e.identitytoken === undefined) continue;
    return {
      username: username ?? '',
      password: e.password ?? rest.join(':'),
      ...(e.identitytoken ? { identityToken: e.identitytoken } : {}),
    };
  }
  return undefined;
}
