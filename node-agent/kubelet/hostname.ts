import type { Pod } from './pod.ts';

/** What the kernel takes as one label, and as a whole name. */
const LABEL_UNITS_MAX = 63;
const NAME_UNITS_MAX = 64;

/** A pod's host name, and the domain that it is in: '' without a subdomain. Kubelet's GeneratePodHostNameAndDomain. */
export function podName(pod: Pod, clusterDomain: string): { host: string; domain: string } {
  const { spec, metadata } = pod;
  const cut = (name: string) =>
    name.length <= LABEL_UNITS_MAX ? name : name.slice(0, LABEL_UNITS_MAX).replace(/[-.]+$/, '');
  if (spec.hostnameOverride !== undefined) return { host: cut(spec.hostnameOverride), domain: '' };
  const domain = spec.subdomain ? `${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}` : '';
  return { host: cut(spec.hostname || (metadata.name ?? '')), domain };
}

/** The name that the pod's kernel says: with setHostnameAsFQDN the whole one. Throws when that is too long. */
export function kernelName(pod: Pod, clusterDomain: string): string {
  const { host, domain } = podName(pod, clusterDomain);
  if (domain === '' || !pod.spec.setHostnameAsFQDN) return host;
  const whole = `${host}.${domain}`;
  if (whole.length <= NAME_UNITS_MAX) return whole;
  const why = `FQDN ${whole} is too long (${NAME_UNITS_MAX} characters is the max, ${whole.length} characters requested)`;
  throw new Error(`failed to construct FQDN from pod hostname and cluster domain, ${why}`);
}
