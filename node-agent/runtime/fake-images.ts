import type { Env } from '../../kube/meta/env.ts';
import { fnv1aLane } from '../../kube/meta/hash.ts';
import { RuntimeError } from './error.ts';
import type { Image, ImageSpec } from './messages.ts';
import { normalizeReference } from './reference.ts';
import type { ImageStore } from './runtime.ts';

/** An image that can be pulled in a FakeRuntime's world. */
export interface FakeImage {
  /** Entrypoint and command together. */
  command?: string[];
  /** A uid or a name, as in the image's USER. */
  user?: string;
  size?: number;
  /** How long a pull takes. */
  pullMs?: number;
  /** What pulling it fails with. */
  error?: RuntimeError;
  pinned?: boolean;
}

const DEFAULT_SIZE = 1_000_000;

/** 64 hex digits that depend on nothing but `text` (FNV-1a, spread over eight words). */
function fakeDigest(text: string): string {
  let out = '';
  for (let word = 0; word < 8; word++) {
    out += fnv1aLane(text, word).toString(16).padStart(8, '0');
  }
  return `sha256:${out}`;
}

const repositoryOf = (name: string) => {
  const base = name.split('@')[0] ?? '';
  const colon = base.lastIndexOf(':');
  return colon > base.lastIndexOf('/') ? base.slice(0, colon) : base;
};

interface Stored {
  names: Set<string>;
  digests: Set<string>;
  image: FakeImage;
}

/** Images in memory: a catalog of what can be pulled, and what has been. Pulls take the virtual clock's time. */
export class FakeImages implements ImageStore {
  readonly #env: Env;
  readonly #catalog = new Map<string, FakeImage>();
  readonly #stored = new Map<string, Stored>();
  /** Full names of the pulls that were asked for, in order. */
  readonly pulls: string[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  /** Makes an image pullable under a name. */
  offer(name: string, image: FakeImage = {}): void {
    this.#catalog.set(normalizeReference(name), image);
  }

  /** Id and image of what `ref` (an id, a name, a name with digest) stands for here; null when it isn't here. */
  find(ref: string): { id: string; image: FakeImage } | null {
    const bare = ref.startsWith('sha256:') ? ref : `sha256:${ref}`;
    const byId = this.#stored.get(bare);
    if (byId) return { id: bare, image: byId.image };
    const name = normalizeReference(ref);
    for (const [id, s] of this.#stored) if (s.names.has(name) || s.digests.has(name)) return { id, image: s.image };
    return null;
  }

  /** The name with digest that containerStatus shows as imageRef. */
  referenceOf(id: string): string {
    return [...(this.#stored.get(id)?.digests ?? [])][0] ?? id;
  }

  #shown(id: string, s: Stored): Image {
    const user = s.image.user ?? '';
    const numeric = /^\d+$/.test(user);
    return {
      id,
      repoTags: [...s.names],
      repoDigests: [...s.digests],
      size: s.image.size ?? DEFAULT_SIZE,
      ...(numeric ? { uid: Number(user) } : {}),
      username: numeric ? '' : user,
      pinned: s.image.pinned ?? false,
    };
  }

  async listImages(): Promise<Image[]> {
    return [...this.#stored].map(([id, s]) => this.#shown(id, s));
  }

  async imageStatus(image: ImageSpec): Promise<Image | null> {
    const found = this.find(image.image);
    const stored = found && this.#stored.get(found.id);
    return stored ? this.#shown(found.id, stored) : null;
  }

  async pullImage(spec: ImageSpec, o: { signal?: AbortSignal } = {}): Promise<string> {
    const name = normalizeReference(spec.image);
    this.pulls.push(name);
    const image = this.#catalog.get(name);
    if (!image) {
      const why = `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`;
      throw new RuntimeError('NotFound', why);
    }
    await this.#download(image.pullMs ?? 0, o.signal);
    if (image.error) throw image.error;
    const id = fakeDigest(name);
    const stored = this.#stored.get(id) ?? { names: new Set(), digests: new Set(), image };
    if (name.includes('@')) stored.digests.add(name);
    else {
      stored.names.add(name);
      stored.digests.add(`${repositoryOf(name)}@${fakeDigest(`${name} manifest`)}`);
    }
    this.#stored.set(id, stored);
    return id;
  }

  /** Takes `ms`, or until `signal`: then it throws Canceled. */
  #download(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        cancel();
        reject(new RuntimeError('Canceled', 'context canceled'));
      };
      const cancel = ms > 0 ? this.#env.after(ms, resolve) : () => undefined;
      if (signal?.aborted) abort();
      else if (ms === 0) resolve();
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  async removeImage(image: ImageSpec): Promise<void> {
    const found = this.find(image.image);
    if (found) this.#stored.delete(found.id);
  }

  async imageFsInfo() {
    let usedBytes = 0;
    for (const s of this.#stored.values()) usedBytes += s.image.size ?? DEFAULT_SIZE;
    const usage = {
      timestamp: this.#env.now() * 1e6,
      fsId: { mountpoint: '/fake' },
      usedBytes,
      inodesUsed: this.#stored.size,
    };
    return { imageFilesystems: [usage], containerFilesystems: [] };
  }
}
