import type { Caller } from './client.ts';

// The controllers' work beside the clients': a ReplicaSet whose pods have to follow, whatever happened to server and clock.

const PATH = '/apis/apps/v1/namespaces/default/replicasets';
const NAME = 'torture';
/** A loop may have to wait for a lease (15 s) and a back-off. */
const PROGRESS_MS = 120_000;

/** Makes the ReplicaSet; its pods are never run, for there is no node. */
export async function startLoops(call: Caller): Promise<void> {
  const labels = { app: NAME };
  const spec = { containers: [{ name: 'c', image: 'registry.test/none' }] };
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: NAME },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
  const made = await call({ method: 'POST', path: PATH, body });
  if ('lost' in made || made.status !== 201) throw new Error(`no ReplicaSet: ${JSON.stringify(made)}`);
}

/** Deletes a pod and wants more: whether the controllers bring them within two minutes. */
export async function loopsGoOn(call: Caller, replicas: number): Promise<string[]> {
  const gone = await call({ method: 'DELETE', path: '/api/v1/namespaces/default/pods?labelSelector=app%3Dtorture' });
  const scaled = await call({
    method: 'PATCH',
    path: `${PATH}/${NAME}`,
    type: 'application/merge-patch+json',
    body: { spec: { replicas } },
  });
  for (const r of [gone, scaled]) if ('lost' in r || r.status !== 200) return [`loops: ${JSON.stringify(r)}`];
  const limit = Date.now() + PROGRESS_MS;
  let found = 0;
  while (Date.now() < limit) {
    const pods = await call({ method: 'GET', path: '/api/v1/namespaces/default/pods?labelSelector=app%3Dtorture' });
    if (!('lost' in pods) && pods.status === 200) {
      const { items } = pods.body as { items: { metadata: { deletionTimestamp?: string } }[] };
      found = items.filter((p) => p.metadata.deletionTimestamp === undefined).length;
      if (found === replicas) return [];
    }
    await new Promise((next) => setTimeout(next, 250));
  }
  return [`loops: ${found} of ${replicas} pods ${PROGRESS_MS / 1000} s after the faults had ended`];
}
