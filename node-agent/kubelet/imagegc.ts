import type { Container, Image } from '../runtime/messages.ts';

/** The kubelet's imageGCHighThresholdPercent, imageGCLowThresholdPercent, imageMinimumGCAge and the period of its looks. */
export const HIGH_PERCENT = 85;
export const LOW_PERCENT = 80;
export const MIN_AGE_MS = 120_000;
export const IMAGE_LOOK_MS = 300_000;

/** What is remembered of an image that is here. */
export interface ImageRecord {
  firstSeenMs: number;
  /** 0: no container was seen with it. */
  lastUsedMs: number;
}

/**
 * Ids of images that containers are made of, whosever they are: those of other programs on the same runtime count as ours do.
 * A runtime may tell the id or a name.
 */
export function imagesInUse(images: readonly Image[], containers: readonly Container[]): Set<string> {
  const told = new Set(
    containers.flatMap((c) => [c.imageId, c.imageRef, c.image?.image ?? '']).filter((x) => x !== ''),
  );
  const used = images.filter((i) => [i.id, ...i.repoTags, ...i.repoDigests].some((name) => told.has(name)));
  return new Set(used.map((i) => i.id));
}

/** Brings the records up to what is here now. */
export function seeImages(
  records: Map<string, ImageRecord>,
  images: readonly Image[],
  used: ReadonlySet<string>,
  now: number,
): void {
  const ids = new Set(images.map((i) => i.id));
  for (const id of records.keys()) if (!ids.has(id)) records.delete(id);
  for (const i of images) {
    const record = records.get(i.id) ?? { firstSeenMs: now, lastUsedMs: 0 };
    if (used.has(i.id)) record.lastUsedMs = now;
    records.set(i.id, record);
  }
}

/** Images that may go, in the order in which they do: used longest ago first, then the one that is here longest. Pinned ones (the sandbox's) stay. */
export function removableImages(
  records: ReadonlyMap<string, ImageRecord>,
  images: readonly Image[],
  used: ReadonlySet<string>,
  now: number,
): Image[] {
  const at = (i: Image) => records.get(i.id) ?? { firstSeenMs: now, lastUsedMs: 0 };
  return images
    .filter((i) => !used.has(i.id) && !i.pinned && now - at(i).firstSeenMs >= MIN_AGE_MS)
    .sort((a, b) => at(a).lastUsedMs - at(b).lastUsedMs || at(a).firstSeenMs - at(b).firstSeenMs);
}

/** How full a disk is, in whole percent, and how much must go for it to be back at the low mark; 0 bytes below the high one. */
export function bytesToFree(capacity: number, available: number): { percent: number; bytes: number } {
  const percent = 100 - Math.floor((Math.min(available, capacity) * 100) / capacity);
  if (percent < HIGH_PERCENT) return { percent, bytes: 0 };
  return { percent, bytes: Math.floor((capacity * (100 - LOW_PERCENT)) / 100) - Math.min(available, capacity) };
}

/** The event when what could be removed wasn't enough. */
export function notEnough(percent: number, capacity: number, freed: number): string {
  return (
    `Insufficient free disk space on the node's image filesystem (${percent}% of ${sizeText(capacity)} used). ` +
    `Failed to free sufficient space by deleting unused images (freed ${freed} bytes). ` +
    'Investigate disk usage, as it could be used by active images, logs, volumes, or other data.'
  );
}

/** `252.5 GiB`: kubelet's formatSize. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Images as a Node's status shows them: the largest 50, names with digests before tags, at most five each. */
export function imagesOfStatus(images: readonly Image[]): { names: string[]; sizeBytes: number }[] {
  return [...images]
    .sort((a, b) => b.size - a.size)
    .slice(0, IMAGES_SHOWN)
    .map((i) => ({ names: [...i.repoDigests, ...i.repoTags].slice(0, NAMES_SHOWN), sizeBytes: i.size }));
}
/** The kubelet's nodeStatusMaxImages and MaxNamesPerImageInNodeStatus. */
const IMAGES_SHOWN = 50;
const NAMES_SHOWN = 5;
