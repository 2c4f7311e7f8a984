/** What may be said of a node, for parseArgs: the same for a machine that joins from afar, `coracle join` and `coracle up`. */
export const nodeOptions = {
  state: { type: 'string' },
  'node-name': { type: 'string' },
  'node-ip': { type: 'string', multiple: true },
  'pod-cidr': { type: 'string', multiple: true },
  'cri-socket': { type: 'string' },
  'cgroup-root': { type: 'string' },
  'resolv-conf': { type: 'string' },
  registries: { type: 'string' },
  'cluster-dns': { type: 'string', multiple: true },
  'run-dir': { type: 'string' },
  'log-dir': { type: 'string' },
  bridge: { type: 'string' },
  mirror: { type: 'string', multiple: true },
  'no-services': { type: 'boolean' },
} as const;

/** Their lines in a command's help. */
export const nodeUsage = `  --node-name NAME     (default: this machine's)
  --node-ip ADDRESS    where other nodes reach this one; may be repeated, the first one preferred (default: the one with which it reaches the control plane)
  --pod-cidr CIDR      range of this node's pods; may be repeated (default: the cluster gives it one)
  --cri-socket PATH    a container runtime that is there already, with its pod network; also a unix:// URL (default: a containerd of our own)
  --cgroup-root PATH   the cgroup under which those of pods are made (default /)
  --resolv-conf FILE   name servers of pods that want the node's (default /etc/resolv.conf)
  --registries FILE    mirrors and credentials of image registries, in the form of k3s's registries.yaml
  --cluster-dns IP     name server of the other pods, where they are not to ask this node; may be repeated
  --run-dir DIR        sockets and running state
  --log-dir DIR        logs of containers
  --bridge NAME        the pod network's name, and the beginning of its devices' (default coracle0)
  --mirror HOST=URL    pull images of registry HOST from URL; may be repeated
  --no-services        hold no addresses of Services here (no DNS, API, packet filter): for a second node with this machine's network`;

/** As parseArgs gives them. */
export interface NodeOptions {
  state?: string | undefined;
  'node-name'?: string | undefined;
  'node-ip'?: string[] | undefined;
  'pod-cidr'?: string[] | undefined;
  'cri-socket'?: string | undefined;
  'cgroup-root'?: string | undefined;
  'resolv-conf'?: string | undefined;
  registries?: string | undefined;
  'cluster-dns'?: string[] | undefined;
  'run-dir'?: string | undefined;
  'log-dir'?: string | undefined;
  bridge?: string | undefined;
  mirror?: string[] | undefined;
  'no-services'?: boolean | undefined;
}

/** They as words of a command line again. */
export function wordsOf(o: NodeOptions): string[] {
  return Object.entries(o).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    return [value].flat().flatMap((x) => [`--${name}`, String(x)]);
  });
}
