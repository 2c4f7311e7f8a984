// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { ObjectReference } from './core.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type Endpoint = {
  addresses: string[];
  conditions?: EndpointConditions;
  hostname?: string;
  targetRef?: ObjectReference;
  deprecatedTopology?: Record<string, string>;
  nodeName?: string;
  zone?: string;
  hints?: EndpointHints;
};

export type EndpointConditions = {
  ready?: boolean;
  serving?: boolean;
  terminating?: boolean;
};

export type EndpointHints = {
  forZones?: ForZone[];
  forNodes?: ForNode[];
};

export type EndpointPort = {
  name?: string;
  protocol?: 'SCTP' | 'TCP' | 'UDP';
  port?: number;
  appProtocol?: string;
};

export type EndpointSlice = TypeMeta & {
  metadata: ObjectMeta;
  addressType: 'FQDN' | 'IPv4' | 'IPv6';
  endpoints?: Endpoint[];
  ports?: EndpointPort[];
};

export type EndpointSliceList = TypeMeta & {
  metadata: ListMeta;
  items: EndpointSlice[];
};

export type ForNode = {
  name: string;
};

export type ForZone = {
  name: string;
};
