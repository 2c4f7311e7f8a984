/** The Services that each node answers itself, at addresses that each node holds: control plane and agents agree on them. */

/** An address and a port. */
export interface At {
  address: string;
  port: number;
}

/** Clients of the API in a cluster: Service default/kubernetes, the first address of the Service range. */
export const apiService = (cidr: string): At => ({ address: nth(cidr, 1), port: 443 });
/** DNS: Service kube-system/kube-dns, the tenth, where kubeadm has it too. */
export const dnsService = (cidr: string): At => ({ address: nth(cidr, 10), port: 53 });

/** Ranges have 16 addresses at least, and begin at the first. */
function nth(cidr: string, n: number): string {
  const parts = (cidr.split('/')[0] ?? '').split('.');
  return [...parts.slice(0, 3), Number(parts[3]) + n].join('.');
}
/** `namespace/name` of that Service. */
export const DNS_SERVICE_NAME = 'kube-system/kube-dns';

/**
 * What stands in the Services' EndpointSlices: addresses that every node has on a device of its own, so that a packet to one never leaves the machine it is sent
 * from. From 198.18.0.0/15 (RFC 2544: measuring, never routed), for validation refuses loopback and link-local addresses.
 */
export const API_ENDPOINT = { address: '198.18.0.1', port: 6443 } as const;
export const DNS_ENDPOINT = { address: '198.18.0.10', port: 53 } as const;

/** Header of a request that came in at a node: there the cluster has no path of its own, so links of answers begin at the root. */
export const AT_ROOT = 'coracle-at-root';

/** All of POD_RANGE, and that of the endpoints above. */
export const NODE_PODS = '10.244.0.0/14';
export const HELD = '198.18.0.0/15';

/** What nodes' pod ranges are taken of, a /24 each: 1,024 nodes. The Node says which one it has; who joins with a range of its own keeps that. */
export const POD_RANGE = { first: '10.244.0.0', nodes: 1024 } as const;
