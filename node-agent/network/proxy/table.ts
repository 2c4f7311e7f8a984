/** IPv4 or IPv6; the names are those of nftables' table families. */
export type Family = 'ip' | 'ip6';
export type Protocol = 'tcp' | 'udp' | 'sctp';

/** Where a connection may be sent. */
export interface Backend {
  ip: string;
  port: number;
  /** On this node. */
  local: boolean;
}

/** Which backends get the traffic; `reject`: none exist; `drop`: the policy is Local and none are here. */
export type Way = 'cluster' | 'local' | 'reject' | 'drop';

/** What this node does with one port of one Service, in one IP family. */
export interface PortTable {
  /** `namespace/name/protocol/port name`. */
  id: string;
  protocol: Protocol;
  port: number;
  clusterIP: string;
  externalIPs: string[];
  loadBalancerIPs: string[];
  /** 0: none. */
  nodePort: number;
  /** Who may use the load balancer's addresses; empty: everyone. */
  sources: string[];
  /** 0: each connection goes its own way. */
  affinitySeconds: number;
  /** Backends of traffic policy Cluster, after topology; of policy Local. */
  cluster: Backend[];
  local: Backend[];
  internal: Way;
  external: Way;
  /** External traffic keeps its source address, and pods and the node itself are sent to `cluster`. */
  externalLocal: boolean;
}

/** What this node does with all Services, in one IP family: the whole of what a packet filter is told. */
export interface Table {
  family: Family;
  node: NodeTable;
  /** By `namespace/name`. A value is never changed in place: who compares needs to compare references only. */
  services: ReadonlyMap<string, readonly PortTable[]>;
}

export interface NodeTable {
  /** Ranges of this node's pods. */
  localPods: string[];
  /** Ranges of all pods of the cluster: traffic between them is never masqueraded. */
  pods: string[];
  /** Ranges of ClusterIPs: addresses in them that no Service has are dropped. */
  services: string[];
}

export const familyOf = (ip: string): Family => (ip.includes(':') ? 'ip6' : 'ip');
