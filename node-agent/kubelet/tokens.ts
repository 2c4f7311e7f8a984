import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { Api } from '../api.ts';
import type { Pod } from './pod.ts';
import type { Token, TokenSource } from './volumes/kind.ts';

/** kubelet's token manager: a token is replaced when this part of its life is over, and after a day however long it lives. */
const LIFE_PART = 0.8;
const AGE_MS_MAX = 24 * 3_600_000;
/** Not all tokens of a node at the same moment. */
const JITTER_MS = 10_000;
/** Tokens that are remembered; the oldest goes. */
const REMEMBERED_MAX = 2_000;

/** When a token that was asked for at `askedMs` is to be replaced. */
export function renewAt(askedMs: number, expiresMs: number, random: number): number {
  const life = expiresMs - askedMs;
  return askedMs + Math.min(life * LIFE_PART, AGE_MS_MAX) - random * JITTER_MS;
}

/** Tokens bound to their pod, asked for anew when most of their life is over; the old one again while it still lives and no other is to be had. */
export function podTokens(api: Api, env: Env): TokenSource {
  const cache = new Map<string, Token & { expiresMs: number }>();
  return async (pod, audience, expirationSeconds) => {
    const key = `${pod.metadata.uid}/${audience ?? ''}/${expirationSeconds}/${pod.spec.serviceAccountName}`;
    const known = cache.get(key);
    const now = env.now();
    if (known && known.renewMs > now) return known;
    try {
      const { text, expiresMs } = await ask(api, pod, audience, expirationSeconds, now);
      const token = { text, expiresMs, renewMs: renewAt(now, expiresMs, env.random()) };
      cache.delete(key);
      cache.set(key, token);
      if (cache.size > REMEMBERED_MAX) cache.delete(cache.keys().next().value ?? '');
      return token;
    } catch (error) {
      if (!known || known.expiresMs <= now) throw error;
      env.log('info', 'token.renewal.failed', { pod: pod.metadata.name, error: String(error) });
      return { text: known.text, renewMs: now + JITTER_MS };
    }
  };
}

async function ask(api: Api, pod: Pod, audience: string | undefined, expirationSeconds: number, now: number) {
  const m = pod.metadata;
  const spec = {
    ...(audience ? { audiences: [audience] } : {}),
    expirationSeconds,
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: m.name ?? '', uid: m.uid ?? '' },
  };
  const path = `/api/v1/namespaces/${m.namespace}/serviceaccounts/${pod.spec.serviceAccountName ?? 'default'}/token`;
  const answer = await api.send('POST', path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec });
  const status = answer.status as JsonObject;
  const expiresMs = timeToMillis(status.expirationTimestamp as string | undefined);
  return { text: String(status.token), expiresMs: expiresMs > now ? expiresMs : now + expirationSeconds * 1000 };
}
