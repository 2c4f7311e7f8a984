import { formatDuration } from '../../kube/meta/time.ts';
import type { AuthConfig, Image, PodSandboxConfig } from '../runtime/messages.ts';
import type { ImageStore } from '../runtime/runtime.ts';
import { ConfigError } from './env.ts';
import type { Container } from './pod.ts';
import type { PulledImages } from './pulledimages.ts';

/** Image pulls wait longer after each failure: kubelet's 10 s doubling up to 5 min, by pod and image. */
const BACKOFF_MS = 10_000;
const BACKOFF_MS_MAX = 300_000;
/** Failures that are remembered: more than a node has pods; the oldest goes. */
const FAILURES_MAX = 1_000;
/** Pulls at once; more wait their turn. Upstream's default is one. */
const PULLS_MAX = 4;

/** What a pull is made for. */
export interface PullFor {
  /** The pod's uid: each pod has a back-off of its own. */
  uid: string;
  sandbox: PodSandboxConfig;
  /** What the pod has for that image's registry; asked only when it is needed. */
  auth?(image: string): Promise<readonly AuthConfig[]>;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Gives the image that a container is made from, pulling it as its policy says. Throws ConfigError with upstream's waiting reasons. */
export interface ImagePuller {
  ensure(c: Pick<Container, 'image' | 'imagePullPolicy'>, o: PullFor): Promise<Image>;
}

interface Failure {
  count: number;
  untilMs: number;
  message: string;
}
interface Pull {
  image: Image;
  tookMs: number;
}

/** A pull's error as Go joins several: the one, or all in brackets. */
function joined(errors: readonly unknown[]): string {
  const texts = [...new Set(errors.map((e) => (e instanceof Error ? e.message : String(e))))];
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}

/** Go prints whole milliseconds as `1.234s`, `56ms`. */
const duration = (ms: number) => formatDuration(BigInt(Math.max(1, Math.round(ms))) * 1_000_000n);

/** What a registry's failure is called, and its message: kubelet's evalCRIPullErr. */
function named(image: string, text: string): { reason: string; message: string } {
  const kinds = {
    RegistryUnavailable: 'registry is unavailable',
    SignatureValidationFailed: 'signature validation failed',
  };
  for (const [reason, what] of Object.entries(kinds))
    if (text.startsWith(reason))
      return { reason, message: `image pull failed for ${image} because the ${what}${text.slice(reason.length)}` };
  return { reason: 'ErrImagePull', message: text };
}

export function createPuller(images: ImageStore, pulled: PulledImages, now: () => number): ImagePuller {
  const failures = new Map<string, Failure>();
  const pulling = new Map<string, Promise<Pull>>();
  const turn = atMost(PULLS_MAX);

  async function pull(name: string, sandbox: PodSandboxConfig, auths: readonly AuthConfig[]): Promise<Pull> {
    const began = now();
    const errors: unknown[] = [];
    for (const auth of auths.length > 0 ? auths : [undefined]) {
      try {
        const ref = await images.pullImage({ image: name }, { sandbox, ...(auth ? { auth } : {}) });
        const image = await images.imageStatus({ image: ref });
        if (!image) throw new Error(`image ${name} is gone right after its pull`);
        await pulled.add(image.id, name, auth);
        return { image, tookMs: now() - began };
      } catch (error) {
        errors.push(error);
      }
    }
    throw new Error(joined(errors));
  }

  /** One pull serves all that wait for the same image with the same credentials; nobody profits from another's. */
  function sharedPull(name: string, sandbox: PodSandboxConfig, auths: readonly AuthConfig[]): Promise<Pull> {
    const key = `${name} ${JSON.stringify(auths)}`;
    const shared = pulling.get(key) ?? turn(() => pull(name, sandbox, auths)).finally(() => pulling.delete(key));
    pulling.set(key, shared);
    return shared;
  }

  async function tryPull(image: string, name: string, o: PullFor): Promise<Image> {
    const key = `${o.uid}_${image}`;
    const before = failures.get(key);
    if (before && before.untilMs > now()) {
      o.event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
      throw new ConfigError(`Back-off pulling image "${image}": ${before.message}`, 'ImagePullBackOff');
    }
    const auths = (await o.auth?.(name)) ?? [];
    o.event('Normal', 'Pulling', `Pulling image "${image}"`);
    const began = now();
    try {
      const done = await sharedPull(name, o.sandbox, auths);
      failures.delete(key);
      const times = `in ${duration(done.tookMs)} (${duration(now() - began)} including waiting)`;
      o.event(
        'Normal',
        'Pulled',
        `Successfully pulled image "${image}" ${times}. Image size: ${done.image.size} bytes.`,
      );
      return done.image;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      o.event('Warning', 'Failed', `Failed to pull image "${image}": ${text}`);
      const { reason, message } = named(image, text);
      const count = (before?.count ?? 0) + 1;
      const untilMs = now() + Math.min(BACKOFF_MS * 2 ** (count - 1), BACKOFF_MS_MAX);
      failures.delete(key);
      failures.set(key, { count, untilMs, message: `${reason}: ${message}` });
      if (failures.size > FAILURES_MAX) failures.delete(failures.keys().next().value ?? '');
      throw new ConfigError(message, reason);
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
      if (policy === 'Always') return tryPull(c.image, name, o);
      const found = await inspect(images, name, o);
      if (found && (await pulled.allows(found.id, name, async () => (await o.auth?.(name)) ?? []))) {
        const text = `Container image "${c.image}" already present on machine and can be accessed by the pod`;
        o.event('Normal', 'Pulled', text);
        return found;
      }
      if (policy !== 'Never') return tryPull(c.image, name, o);
      const text = `Container image "${c.image}" is not present with pull policy of Never`;
      o.event('Warning', 'ErrImageNeverPull', text);
      throw new ConfigError(text, 'ErrImageNeverPull');
    },
  };
}

async function inspect(images: ImageStore, name: string, o: PullFor): Promise<Image | null> {
  return images.imageStatus({ image: name }).catch((error: unknown) => {
    const text = `Failed to inspect image "": ${error instanceof Error ? error.message : String(error)}`;
    o.event('Warning', 'InspectFailed', text);
    throw new ConfigError(text, 'ImageInspectError');
  });
}

/** Runs what is given to it, so many at once, the rest in turn. */
function atMost(most: number): <T>(f: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (f) => {
    if (running >= most) await new Promise<void>((next) => waiting.push(next));
    running++;
    try {
      return await f();
    } finally {
      running--;
      waiting.shift()?.();
    }
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
