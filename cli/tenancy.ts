import { ask, type Endpoint } from './endpoint.ts';

/** Where the tenancy API has its clusters. */
export const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';

/** Path of one cluster in the tenancy API. */
export const clusterPath = (name: string): string => `${CLUSTERS}/${encodeURIComponent(name)}`;

/** A cluster as the tenancy API shows it. */
export interface ClusterObject {
  metadata: { name: string; creationTimestamp: string };
  status: { id: string; url: string; phase: string; expirationTimestamp?: string; adminToken?: string };
}

/** Makes a token with which machines may become nodes of a cluster. `ttlSeconds`: the endpoint's default without it. */
export async function makeJoinToken(
  e: Endpoint,
  cluster: string,
  ttlSeconds?: number,
): Promise<{ url: string; token: string }> {
  const answer = await ask(e, 'POST', `${clusterPath(cluster)}/jointokens`, { spec: { ttlSeconds } });
  return answer.status as { url: string; token: string };
}

/** Makes a cluster; `adminToken` is in this answer and in no other. */
export async function createCluster(e: Endpoint, name: string, ttlSeconds?: number): Promise<ClusterObject> {
  const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'Cluster', metadata: { name }, spec: { ttlSeconds } };
  return (await ask(e, 'POST', CLUSTERS, body)) as unknown as ClusterObject;
}
