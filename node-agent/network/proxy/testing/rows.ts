import type { EndpointRow, ServiceRow, SliceRow } from '../../../feed/rows.ts';

/** A Service `ns/s` with port 80, or what `o` says. */
export const service = (o: Partial<ServiceRow> = {}): ServiceRow => ({
  namespace: 'ns',
  name: 's',
  type: 'ClusterIP',
  clusterIPs: ['10.96.0.1'],
  ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 0 }],
  externalName: '',
  externalIPs: [],
  loadBalancerIPs: [],
  sourceRanges: [],
  affinitySeconds: 0,
  externalLocal: false,
  internalLocal: false,
  healthCheckNodePort: 0,
  publishNotReady: false,
  proxied: true,
  ...o,
});

/** A ready endpoint. */
export const endpoint = (ip: string, o: Partial<EndpointRow> = {}): EndpointRow => ({
  addresses: [ip],
  ready: true,
  serving: true,
  terminating: false,
  hostname: '',
  node: '',
  zone: '',
  zoneHints: [],
  nodeHints: [],
  ...o,
});

/** A slice of `ns/s`, port `http` at 8080. */
export const slice = (endpoints: EndpointRow[], o: Partial<SliceRow> = {}): SliceRow => ({
  service: 'ns/s',
  family: 'IPv4',
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  endpoints,
  ...o,
});
