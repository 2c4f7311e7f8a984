import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, encode } from './codec.ts';

const roundTrip = (name: string, value: object) => decode(name, encode(name, value));

describe('CRI messages on the wire', () => {
  test('scalars, lists and maps are always there after decoding, messages only when set', () => {
    assert.deepEqual(decode('ListPodSandboxResponse', new Uint8Array()), { items: [] });
    assert.deepEqual(decode('ContainerStatus', new Uint8Array()), {
      id: '',
      state: 'CONTAINER_CREATED',
      createdAt: 0,
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      imageRef: '',
      reason: '',
      message: '',
      labels: {},
      annotations: {},
      mounts: [],
      logPath: '',
      imageId: '',
      stopSignal: 'SIGNAL_RUNTIME_DEFAULT',
    });
  });

  test('wrapped numbers are bare, and 0 differs from absent', () => {
    const zero = roundTrip('LinuxContainerSecurityContext', { runAsUser: 0 }) as Record<string, unknown>;
    assert.equal(zero.runAsUser, 0);
    assert.equal('runAsGroup' in zero, false);
    assert.deepEqual(roundTrip('MemoryUsage', { timestamp: 1, workingSetBytes: 0, usageBytes: 5 }), {
      timestamp: 1,
      workingSetBytes: 0,
      usageBytes: 5,
    });
  });

  test('a state to filter by is a bare name, and the first state of an enum counts as given', () => {
    assert.deepEqual(roundTrip('PodSandboxFilter', { state: 'SANDBOX_READY' }), {
      id: '',
      state: 'SANDBOX_READY',
      labelSelector: {},
    });
  });

  test('64-bit numbers keep what a double can hold', () => {
    const createdAt = 2 ** 60 + 2 ** 20; // more than an integer of a double holds digit by digit
    const status = roundTrip('PodSandboxStatus', { id: 'x', createdAt, state: 'SANDBOX_NOTREADY' }) as object;
    assert.deepEqual((status as { createdAt: number }).createdAt, createdAt);
    assert.deepEqual(roundTrip('Image', { id: 'i', size: 2 ** 40, uid: -1 }), {
      id: 'i',
      repoTags: [],
      repoDigests: [],
      size: 2 ** 40,
      uid: -1,
      username: '',
      pinned: false,
    });
  });

  test('an environment value is text to its sender, whatever it looks like', () => {
    const [env] = (
      roundTrip('ContainerConfig', { envs: [{ key: 'A', value: 'aGk= \u00e9' }] }) as {
        envs: { key: string; value: Uint8Array }[];
      }
    ).envs;
    assert.equal(Buffer.from(env?.value ?? []).toString(), 'aGk= \u00e9');
  });

  test('a field that is called options is no protobuf option', () => {
    assert.deepEqual(roundTrip('DNSConfig', { options: ['ndots:5'] }), {
      servers: [],
      searches: [],
      options: ['ndots:5'],
    });
    assert.deepEqual(roundTrip('Namespace', { options: { pid: 'NODE' } }), {
      options: { network: 'POD', pid: 'NODE', ipc: 'POD', targetId: '' },
    });
  });

  test('bytes that are not sent are bytes of length 0', () => {
    const { stdout, stderr } = decode('ExecSyncResponse', new Uint8Array()) as Record<string, unknown>;
    for (const b of [stdout, stderr]) assert.ok(b instanceof Uint8Array && b.length === 0);
  });

  test('a name that an enum does not have is a TypeError', () => {
    assert.throws(() => encode('Mount', { propagation: 'SIDEWAYS' }), TypeError);
  });
});
