import { RuntimeError } from '../runtime/error.ts';
import type { Image, PodSandboxConfig } from '../runtime/messages.ts';
import type { ImageStore } from '../runtime/runtime.ts';
import { ConfigError } from './env.ts';
import type { Container } from './pod.ts';

/** Image pulls wait longer after each failure: kubelet's 10 s doubling up to 5 min, by image. */
const BACKOFF_MS = 10_000;
const BACKOFF_MS_MAX = 300_000;

/** Gives the image that a container is made from, pulling it as its policy says. Throws ConfigError with upstream's waiting reasons. */
export interface ImagePuller {
  ensure(c: Container, sandbox: PodSandboxConfig): Promise<Image>;
}

export function createPuller(images: ImageStore, now: () => number): ImagePuller {
  const failures = new Map<string, { count: number; untilMs: number; message: string }>();
  const pulling = new Map<string, Promise<Image>>();

  async function pull(image: string, sandbox: PodSandboxConfig): Promise<Image> {
    const before = failures.get(image);
    if (before && before.untilMs > now())
      throw new ConfigError(`Back-off pulling image "${image}": ${before.message}`, 'ImagePullBackOff');
    try {
      const ref = await images.pullImage({ image }, { sandbox });
      failures.delete(image);
      const found = await images.imageStatus({ image: ref });
      if (!found) throw new ConfigError(`image ${image} is gone right after its pull`, 'ErrImagePull');
      return found;
    } catch (error) {
      const message =
        error instanceof RuntimeError ? `rpc error: code = ${error.code} desc = ${error.message}` : String(error);
      const count = (before?.count ?? 0) + 1;
      failures.set(image, { count, untilMs: now() + Math.min(BACKOFF_MS * 2 ** (count - 1), BACKOFF_MS_MAX), message });
      throw new ConfigError(message, 'ErrImagePull');
    }
  }

  return {
    async ensure(c, sandbox) {
      const name = withTag(c.image);
      const policy = c.imagePullPolicy ?? (/:latest$/.test(name) ? 'Always' : 'IfNotPresent');
      if (policy !== 'Always') {
        const found = await images.imageStatus({ image: name });
        if (found) return found;
        if (policy === 'Never')
          throw new ConfigError(
            `Container image "${c.image}" is not present with pull policy of Never`,
            'ErrImageNeverPull',
          );
      }
      // One pull of an image serves all that wait for it.
      const under = pulling.get(name);
      if (under) return under;
      const p = pull(name, sandbox).finally(() => pulling.delete(name));
      pulling.set(name, p);
      return p;
    },
  };
}

/** The name with `:latest` where it has neither tag nor digest. */
export function withTag(image: string): string {
  if (image.includes('@')) return image;
  return image.slice(image.lastIndexOf('/') + 1).includes(':') ? image : `${image}:latest`;
}
