import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { bench } from '../testing.ts';
import { NOT_CARRIED_OUT, podFieldsCarriedOut } from './carriedout.ts';

/** The list as it was first written: what is on it today was on it then. */
const RECORDED = new Set([
  'spec.hostUsers: false',
  'spec.resourceClaims',
  'spec.containers[*].volumeDevices',
  'spec.containers[*].restartPolicyRules[*].action: RestartAllContainers',
  ...'awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk gitRepo glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume'
    .split(' ')
    .map((v) => `spec.volumes[*].${v}`),
  'spec.volumes[*].projected.sources[*].clusterTrustBundle',
  'spec.volumes[*].projected.sources[*].podCertificate',
]);

describe('pod fields that no node carries out', () => {
  test('only get fewer', () => {
    assert.deepEqual(
      NOT_CARRIED_OUT.map(([path]) => path).filter((path) => !RECORDED.has(path)),
      [],
    );
  });

  const pod = (spec: JsonObject): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  });
  const post = async (spec: JsonObject, ownNodes: boolean) => {
    const b = await bench({ admission: [podFieldsCarriedOut] });
    if (ownNodes) b.cluster.ownNodes = true;
    return b.ask('POST', '/api/v1/namespaces/default/pods', pod(spec));
  };
  const nfs = { volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] };

  test('are refused by name', async () => {
    const { code, body } = await post(nfs, true);
    assert.equal(code, 403);
    const text = `pods "p" is forbidden: not carried out by this cluster's nodes yet: spec.volumes[*].nfs`;
    assert.equal(body.message, text);
  });
  test('are taken where nodes are not ours', async () => assert.equal((await post(nfs, false)).code, 201));
  test('leave all other pods alone', async () => assert.equal((await post({ hostNetwork: true }, true)).code, 201));
});
