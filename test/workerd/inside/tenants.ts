import { env } from 'cloudflare:workers';
import type { StoreStub } from '../../../workers/tenant/remote.ts';
import type { TestTenant } from './objects.ts';

const objects = (env as unknown as { TENANT: DurableObjectNamespace<TestTenant> }).TENANT;
/** The object of a cluster, or of its Events (`ID/events`). */
export const stubOf = (name: string) => objects.getByName(name) as unknown as StoreStub & TestTenant;

/** An empty one; gives its id. */
export async function newCluster(): Promise<string> {
  const id = `c${crypto.randomUUID()}`;
  await stubOf(id).create({ base: '', uidPrefix: '', createdMs: 0 });
  return id;
}
