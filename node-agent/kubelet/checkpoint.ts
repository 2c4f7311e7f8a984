import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JsonObject } from '../../kube/meta/json.ts';
import { ApiError } from '../api.ts';
import { ConfigError, type References } from './env.ts';
import { type Pod, uidOf } from './pod.ts';
import type { TokenSource } from './volumes/kind.ts';
import type { TrustBundles } from './volumes/trustbundle.ts';

/**
 * What a machine needs to go on with its pods while the control plane can't be reached: each pod as last seen, and what it
 * refers to. All of a pod lies below its own directory and goes with it. Only root may read it: Secrets are among it.
 */
const directory = (root: string, uid: string) => join(root, 'pods', uid);
const podFile = (root: string, uid: string) => join(directory(root, uid), 'pod.json');

/** Never half a file, whenever the agent stops; `flush`: nor when the machine does, which costs milliseconds. */
export async function writeWhole(path: string, text: string, flush = true): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text, { mode: 0o600, flush });
  await rename(`${path}.new`, path);
}

/** Keeps a pod: `text` is its JSON. */
export const savePod = (root: string, uid: string, text: string): Promise<void> => writeWhole(podFile(root, uid), text);

/** The pods that were saved below `root`; what can't be read is left out. */
export async function loadPods(root: string): Promise<Pod[]> {
  const uids = await readdir(join(root, 'pods')).catch(() => []);
  const pods: Pod[] = [];
  for (const uid of uids) {
    const text = await readFile(podFile(root, uid), 'utf8').catch(() => null);
    if (text === null) continue;
    try {
      const pod = JSON.parse(text) as Pod;
      if (uidOf(pod) === uid) pods.push(pod);
    } catch {
      // A file of another release or a broken disk: the API brings the pod when it can be reached.
    }
  }
  return pods;
}

/** True when the API didn't answer at all, or not in a way that says anything about the object asked for. */
const unreachable = (e: unknown) => !(e instanceof ApiError) || e.code >= 500;

/** `refs` for one pod, answered from disk while the API can't be reached. */
export function rememberedReferences(refs: References, root: string, uid: string): References {
  const written = new Map<string, string>();
  const read = async (what: 'configMap' | 'secret', namespace: string, name: string) => {
    const path = join(directory(root, uid), 'references', `${what}.${name}.json`);
    try {
      const data = await refs[what](namespace, name);
      if (data === null) return null;
      const text = JSON.stringify(
        Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')])),
      );
      if (written.get(path) !== text) await writeWhole(path, text);
      written.set(path, text);
      return data;
    } catch (error) {
      const text = unreachable(error) ? await readFile(path, 'utf8').catch(() => null) : null;
      if (text === null) throw error;
      const data = JSON.parse(text) as Record<string, string>;
      return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, new Uint8Array(Buffer.from(v, 'base64'))]));
    }
  };
  return { configMap: (ns, n) => read('configMap', ns, n), secret: (ns, n) => read('secret', ns, n) };
}

/** `bundles` for one pod, answered from disk while the API can't be reached. */
export function rememberedTrustBundles(bundles: TrustBundles, root: string, uid: string): TrustBundles {
  return {
    async trustBundles(field) {
      const path = join(directory(root, uid), 'references', `trust.${shortHash(field)}.json`);
      try {
        const found = await bundles.trustBundles(field);
        const text = JSON.stringify(found);
        if ((await readFile(path, 'utf8').catch(() => '')) !== text) await writeWhole(path, text);
        return found;
      } catch (error) {
        const text = unreachable(error) ? await readFile(path, 'utf8').catch(() => null) : null;
        if (text === null) throw error;
        return JSON.parse(text) as JsonObject[];
      }
    },
  };
}
const shortHash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** A token from disk stands in for a new one until the API is asked again after this. */
const ASK_AGAIN_MS = 60_000;

/** `token` that gives the last one again while no new one can be had. */
export function rememberedTokens(token: TokenSource, root: string, now: () => number): TokenSource {
  return async (pod, audience, seconds) => {
    const name = shortHash(`${audience ?? ''}/${seconds}`);
    const path = join(directory(root, uidOf(pod)), 'tokens', name);
    try {
      const fresh = await token(pod, audience, seconds);
      if ((await readFile(path, 'utf8').catch(() => '')) !== fresh.text) await writeWhole(path, fresh.text);
      return fresh;
    } catch (error) {
      const text = unreachable(error) ? await readFile(path, 'utf8').catch(() => null) : null;
      if (text === null) throw error;
      return { text, renewMs: now() + ASK_AGAIN_MS };
    }
  };
}

type Variables = { key: string; value: string }[];

/**
 * The variables of Services that a pod's containers get: `now`, or, while Services aren't known, those of the pod's last start. Only a pod's first
 * start is worth waiting for them: `now(true)`.
 */
export async function rememberedServices(
  now: (patient: boolean) => Promise<Variables | undefined>,
  root: string,
  uid: string,
): Promise<Variables> {
  const path = join(directory(root, uid), 'services.json');
  const before = await readFile(path, 'utf8').catch(() => null);
  const found = await now(before === null);
  if (found === undefined && before !== null) return JSON.parse(before) as Variables;
  if (found === undefined)
    throw new ConfigError('services have not yet been read at least once, cannot construct envvars');
  const text = JSON.stringify(found);
  if (text !== before) await writeWhole(path, text, false);
  return found;
}
