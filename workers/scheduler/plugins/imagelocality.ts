import { type PodInfo, SCORE_MAX, type SchedulerPlugin } from '../framework.ts';

const MIB = 1024 * 1024;
/** Upstream's bounds: below the first images don't matter, above the second (for each container) more doesn't. */
const SIZE_MIN = 23 * MIB;
const SIZE_MAX = 1000 * MIB;

interface State {
  /** Each image as often as it is named, with the share of nodes that have it. */
  images: readonly { name: string; share: number }[];
  count: number;
}
/** An image's name as nodes report it: with its tag. */
const normalized = (name: string): string => (name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name);

function imagesOf({ pod }: PodInfo): string[] {
  const volumes = (pod.spec.volumes ?? []).flatMap(
    (v) => (v.image as { reference?: string } | undefined)?.reference ?? [],
  );
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((c) => c.image ?? '').concat(volumes);
}

/** Prefers nodes that have the pod's images, the more so the larger they are, and the more nodes have them. */
export const imagelocality: SchedulerPlugin<unknown, State> = {
  name: 'ImageLocality',
  retryOn: {},
  weight: 1,
  prepareScore(pod, _, snapshot) {
    const all = imagesOf(pod).map(normalized);
    const images = all
      .map((name) => ({ name, share: snapshot.imageNodes(name) / snapshot.nodes.length }))
      .filter((i) => i.share > 0);
    return images.length === 0 ? null : { images, count: all.length };
  },
  score({ images, count }, node) {
    let sum = 0;
    for (const { name, share } of images) sum += Math.trunc((node.images.get(name) ?? 0) * share);
    const max = SIZE_MAX * count;
    return Math.floor((SCORE_MAX * (Math.min(Math.max(sum, SIZE_MIN), max) - SIZE_MIN)) / (max - SIZE_MIN));
  },
};
