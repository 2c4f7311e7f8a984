const DEFAULT_DOMAIN = 'docker.io';
const OFFICIAL = 'library/';

/**
 * The full name of an image as the runtime stores it: `busybox` is `docker.io/library/busybox:latest`; a digest stays.
 * distribution/reference ParseDockerRef: with both tag and digest, the tag goes.
 */
export function normalizeReference(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const hasDomain = first.includes('.') || first.includes(':') || first === 'localhost' || /[A-Z]/.test(first);
  let domain = hasDomain ? first : DEFAULT_DOMAIN;
  let rest = hasDomain ? image.slice(slash + 1) : image;
  if (domain === 'index.docker.io') domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !rest.includes('/')) rest = OFFICIAL + rest;
  const [name = '', digest] = rest.split('@');
  const tagged = name.lastIndexOf(':') > name.lastIndexOf('/');
  if (digest !== undefined) return `${domain}/${tagged ? name.slice(0, name.lastIndexOf(':')) : name}@${digest}`;
  return `${domain}/${tagged ? name : `${name}:latest`}`;
}
