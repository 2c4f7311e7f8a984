import type { AuthConfig, Image, PodSandboxConfig } from '../runtime/messages.ts';
import type { ImageStore } from '../runtime/runtime.ts';
import { ConfigError } from './env.ts';
import type { Container } from './pod.ts';

/** Image pulls wait longer after each failure: kubelet's 10 s doubling up to 5 min, by pod and image. */
const BACKOFF_MS = 10_000;
const BACKOFF_MS_MAX = 300_000;
/** Failures that are remembered: more than a node has pods; the oldest goes. */
const FAILURES_MAX = 1_000;

/** What a pull is made for. */
export interface PullFor {
  /** The pod's uid: each pod has a back-off of its own. */
  uid: string;
  sandbox: PodSandboxConfig;
  /** Asked only when there is something to pull. */
  auth?(image: string): Promise<AuthConfig | undefined>;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Gives the image that a container is made from, pulling it as its policy says. Throws ConfigError with upstream's waiting reasons. */
export interface ImagePuller {
  ensure(c: Container, o: PullFor): Promise<Image>;
}

interface Failure {
  count: number;
  untilMs: number;
  message: string;
}

export function createPuller(images: ImageStore, now: () => number): ImagePuller {
  const failures = new Map<string, Failure>();
  const pulling = new Map<string, Promise<Image>>();

  async function pull(c: Container, name: string, o: PullFor): Promise<Image> {
    const began = now();
    o.event('Normal', 'Pulling', `Pulling image "${c.image}"`);
    const auth = await o.auth?.(name);
    const ref = await images.pullImage({ image: name }, { sandbox: o.sandbox, ...(auth ? { auth } : {}) });
    const found = await images.imageStatus({ image: ref });
    if (!found) throw new Error(`image ${c.image} is gone right after its pull`);
    const took = `${Math.max(1, now() - began)}ms`;
    const text = `Successfully pulled image "${c.image}" in ${took} (${took} including waiting). Image size: ${found.size} bytes.`;
    o.event('Normal', 'Pulled', text);
    return found;
  }

  async function tryPull(c: Container, name: string, o: PullFor): Promise<Image> {
    const key = `${o.uid}_${c.image}`;
    const before = failures.get(key);
    if (before && before.untilMs > now()) {
      o.event('Normal', 'BackOff', `Back-off pulling image "${c.image}"`);
      throw new ConfigError(`Back-off pulling image "${c.image}": ${before.message}`, 'ImagePullBackOff');
    }
    // One pull of an image serves all that wait for it.
    const shared = pulling.get(name) ?? pull(c, name, o).finally(() => pulling.delete(name));
    pulling.set(name, shared);
    try {
      const image = await shared;
      failures.delete(key);
      return image;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      o.event('Warning', 'Failed', `Failed to pull image "${c.image}": ${message}`);
      const count = (before?.count ?? 0) + 1;
      const untilMs = now() + Math.min(BACKOFF_MS * 2 ** (count - 1), BACKOFF_MS_MAX);
      failures.delete(key);
      failures.set(key, { count, untilMs, message: `ErrImagePull: ${message}` });
      if (failures.size > FAILURES_MAX) failures.delete(failures.keys().next().value ?? '');
      throw new ConfigError(message, 'ErrImagePull');
    }
  }

  return {
    async ensure(c, o) {
      const name = withTag(c.image);
      if (!REFERENCE.test(name)) {
        const why = `couldn't parse image name "${c.image}": ${/[A-Z]/.test(c.image.split(/[:@]/)[0] ?? '') && REFERENCE.test(name.toLowerCase()) ? 'repository name must be lowercase' : 'invalid reference format'}`;
        const text = `Failed to apply default image tag "${c.image}": ${why}`;
        o.event('Warning', 'InspectFailed', text);
        throw new ConfigError(text, 'InvalidImageName');
      }
      const policy = c.imagePullPolicy ?? (/:latest$/.test(name) ? 'Always' : 'IfNotPresent');
      if (policy === 'Always') return tryPull(c, name, o);
      const found = await images.imageStatus({ image: name });
      if (found) {
        const text = `Container image "${c.image}" already present on machine and can be accessed by the pod`;
        o.event('Normal', 'Pulled', text);
        return found;
      }
      if (policy !== 'Never') return tryPull(c, name, o);
      const text = `Container image "${c.image}" is not present with pull policy of Never`;
      o.event('Warning', 'ErrImageNeverPull', text);
      throw new ConfigError(text, 'ErrImageNeverPull');
    },
  };
}

/** distribution/reference's grammar of `[domain/]path[:tag][@digest]`. */
const DOMAIN =
  /(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::\d+)?/;
const PART = /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/;
const REFERENCE = new RegExp(
  `^(?:${DOMAIN.source}/)?${PART.source}(?:/${PART.source})*(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/** The name with `:latest` where it has neither tag nor digest. */
export function withTag(image: string): string {
  if (image.includes('@')) return image;
  return image.slice(image.lastIndexOf('/') + 1).includes(':') ? image : `${image}:latest`;
}
