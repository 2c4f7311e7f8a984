import assert from 'node:assert/strict';
import { lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Container, Pod, PodSpec, Volume } from '../pod.ts';
import { FakeMounter } from '../testing/mounter.ts';
import { memorySize } from './emptydir.ts';
import { nestedMountPoints } from './files.ts';
import type { ClaimView, PersistentVolume, VolumeParts } from './kind.ts';
import { parseMountInfo } from './mounter.ts';
import { giveToGroup, userOf } from './ownership.ts';
import { PodCertificates } from './podcertificate.ts';
import { PodVolumes } from './podvolumes.ts';
import { bindSubPath, makeSubPath } from './subpath.ts';
import { removePodDirectory } from './teardown.ts';

let root: string;
let mounter: FakeMounter;
let told: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'volumes-'));
  mounter = new FakeMounter();
  told = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root: files are given to other users' };
const GROUP = 4321;
const main: Container = { name: 'main', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] };
const podWith = (volume: Volume, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [main], volumes: [volume], nodeName: 'n', ...spec },
});

const CONFIGMAPS: Record<string, Record<string, Uint8Array>> = {
  c: { one: Buffer.from('1'), 'not-text': new Uint8Array([0, 255, 10]) },
};
const pem = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
const bundle = (name: string, signerName: string, labels: Record<string, string>, ...bodies: string[]) => ({
  metadata: { name, labels },
  spec: { signerName, trustBundle: bodies.map((b) => `a comment\n${pem(b)}`).join('') },
});
const BUNDLES = [
  bundle('x:one', 'x/s', { alive: 'yes' }, 'QUFB', 'QkJC'),
  bundle('x:two', 'x/s', { alive: 'no' }, 'QUFB', 'Q0ND'),
  bundle('plain', '', {}, 'RERE'),
];
const fieldsOf = (b: (typeof BUNDLES)[number]) => [
  `metadata.name=${b.metadata.name}`,
  `spec.signerName=${b.spec.signerName}`,
];
function parts(more: Partial<VolumeParts> = {}): VolumeParts {
  return {
    root,
    mounter,
    refs: {
      configMap: async (_, n) => CONFIGMAPS[n] ?? null,
      secret: async (_, n) => CONFIGMAPS[n] ?? null,
      trustBundles: async (field) => BUNDLES.filter((b) => fieldsOf(b).includes(field)),
    },
    token: async () => ({ text: 'tok', renewMs: 900 }),
    claims: {
      claim: async () => Promise.reject(new Error('no claims')),
      volume: async () => Promise.reject(new Error('none')),
    },
    certificates: new PodCertificates({
      api: { get: async () => ({}), send: async () => ({}) },
      requests: { certificateRequests: async () => [] },
      ...{ node: 'n', nodeUid: async () => 'nu', now: () => 0, random: () => 0, tell: () => undefined },
    }),
    labels: async () => ({ zone: 'a' }),
    now: () => 0,
    ...more,
  };
}
const DOWN = { podIPs: [], hostIPs: [], allocatable: { memory: '1Gi', cpu: '2' } };
async function setUp(pod: Pod, p = parts()): Promise<PodVolumes> {
  const volumes = new PodVolumes(p, (_, reason, text) => told.push(`${reason}: ${text}`));
  await volumes.setUp(pod, DOWN);
  return volumes;
}
const mode = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);
const inPod = (...names: string[]) => join(root, 'pods/u', ...names);

describe('an emptyDir', () => {
  const dir = () => inPod('volumes/kubernetes.io~empty-dir/v');
  test('on disk is open to everybody, whatever the umask is', async () => {
    const before = process.umask(0o077);
    const volumes = await setUp(podWith({ name: 'v', emptyDir: {} })).finally(() => process.umask(before));
    assert.equal(await mode(dir()), '777');
    assert.deepEqual(volumes.get('v'), { path: dir(), readonly: false });
  });
  test('belongs to the fsGroup, and hands it on', asRoot, async () => {
    await setUp(podWith({ name: 'v', emptyDir: {} }, { securityContext: { fsGroup: GROUP } }));
    assert.equal(await mode(dir()), '2777');
    assert.equal((await stat(dir())).gid, GROUP);
  });
  test('keeps the mode that a container gave it when it is set up again', async () => {
    await setUp(podWith({ name: 'v', emptyDir: {} }));
    await import('node:fs/promises').then((fs) => fs.chmod(dir(), 0o700));
    await setUp(podWith({ name: 'v', emptyDir: {} }));
    assert.equal(await mode(dir()), '700');
  });
  test('in memory is a tmpfs with its limit, mounted once', async () => {
    const pod = podWith({ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } });
    await setUp(pod);
    await setUp(pod);
    const [m] = mounter.mounts;
    assert.deepEqual([mounter.mounts.length, m?.type, m?.options, m?.path], [1, 'tmpfs', 'size=16777216', dir()]);
  });
  test('in huge pages takes the page size that the pod asks for', async () => {
    const resources = { requests: { 'hugepages-2Mi': '4Mi' } };
    const containers = [{ ...main, resources }];
    await setUp(podWith({ name: 'v', emptyDir: { medium: 'HugePages' } }, { containers }));
    assert.deepEqual([mounter.mounts[0]?.type, mounter.mounts[0]?.options], ['hugetlbfs', 'pagesize=2Mi']);
  });
  test('of a medium that nobody asked pages for, or none knows, fails', async () => {
    await setUp(podWith({ name: 'v', emptyDir: { medium: 'HugePages-1Gi' } }));
    await setUp(podWith({ name: 'v', emptyDir: { medium: 'Tape' } }));
    assert.deepEqual(told, [
      'FailedMount: MountVolume.SetUp failed for volume "v" : medium HugePages-1Gi: hugePages storage requested, but there is no resource request for huge pages',
      'FailedMount: MountVolume.SetUp failed for volume "v" : unknown storage medium "Tape"',
    ]);
  });
  test('grows to the least of what the node has, the pod may use and its own limit', () => {
    const limited = (memory: string) => [{ ...main, resources: { limits: { memory } } }];
    const cases: [string | undefined, Container[], number][] = [
      [undefined, [main], 1024 ** 3],
      ['64Mi', [main], 64 * 1024 ** 2],
      ['2Gi', [main], 1024 ** 3],
      [undefined, limited('32Mi'), 32 * 1024 ** 2],
      ['64Mi', limited('32Mi'), 32 * 1024 ** 2],
      [undefined, [...limited('32Mi'), { ...main, name: 'free' }], 1024 ** 3],
      ['0', [main], 1024 ** 3],
    ];
    for (const [sizeLimit, containers, bytes] of cases) {
      const source = sizeLimit === undefined ? {} : { sizeLimit };
      assert.equal(memorySize(source, podWith({ name: 'v' }, { containers }), '1Gi'), bytes, `${sizeLimit}`);
    }
  });
});

describe('a hostPath', () => {
  const cases: [string, string, string | null][] = [
    ['dir', '', null],
    ['nothing', '', null],
    ['dir', 'Directory', null],
    ['file', 'File', null],
    ['socket', 'Socket', null],
    ['new/deep', 'DirectoryOrCreate', null],
    ['newfile', 'FileOrCreate', null],
    ['file', 'Directory', "hostPath type check failed: PATH is not a directory, it's a File"],
    ['file', 'DirectoryOrCreate', "hostPath type check failed: PATH is not a directory, it's a File"],
    ['dir', 'File', "hostPath type check failed: PATH is not a file, it's a Directory"],
    ['dir', 'FileOrCreate', "hostPath type check failed: PATH is not a file, it's a Directory"],
    ['file', 'Socket', "hostPath type check failed: PATH is not a socket file, it's a File"],
    ['dir', 'CharDevice', "hostPath type check failed: PATH is not a character device, it's a Directory"],
    ['dir', 'BlockDevice', "hostPath type check failed: PATH is not a block device, it's a Directory"],
    [
      'nothing',
      'File',
      'hostPath type check failed, PATH is not a file, unable to determine its type: path "PATH" does not exist',
    ],
    ['dir', 'Odd', 'Odd is an invalid volume type'],
    ['a/../dir', '', "invalid HostPath `PATH`: must not contain '..'"],
  ];
  for (const [name, type, why] of cases)
    test(`${name} as ${type || 'anything'}: ${why ?? 'fine'}`, async () => {
      await mkdir(join(root, 'dir'));
      await writeFile(join(root, 'file'), '');
      const server = createServer().listen(join(root, 'socket'));
      const path = `${root}/${name}`;
      const volumes = await setUp(podWith({ name: 'v', hostPath: { path, type } }));
      server.close();
      assert.deepEqual(
        told,
        why === null ? [] : [`FailedMount: MountVolume.SetUp failed for volume "v" : ${why.replaceAll('PATH', path)}`],
      );
      assert.equal(volumes.get('v')?.path, why === null ? path : undefined);
      if (type === 'DirectoryOrCreate' && why === null) assert.ok((await stat(path)).isDirectory());
      if (type === 'FileOrCreate' && why === null) assert.ok((await stat(path)).isFile());
    });
});

describe('volumes of files', () => {
  test('binary data arrives byte by byte; containers may only read', async () => {
    const volumes = await setUp(podWith({ name: 'v', configMap: { name: 'c' } }));
    const v = volumes.get('v');
    assert.equal(v?.readonly, true);
    assert.deepEqual(new Uint8Array(await readFile(join(v?.path ?? '', 'not-text'))), CONFIGMAPS.c?.['not-text']);
  });
  test('keys that are asked for must be there, unless the source is optional', async () => {
    const items = [
      { key: 'no', path: 'x' },
      { key: 'one', path: 'y' },
    ];
    await setUp(podWith({ name: 'v', configMap: { name: 'c', items } }));
    await setUp(podWith({ name: 'v', secret: { secretName: 'c', items } }));
    assert.deepEqual(told, [
      'FailedMount: MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: no',
      'FailedMount: MountVolume.SetUp failed for volume "v" : references non-existent secret key: no',
    ]);
    await setUp(podWith({ name: 'v', configMap: { name: 'c', items, optional: true } }));
    assert.equal(await readFile(inPod('volumes/kubernetes.io~configmap/v/y'), 'utf8'), '1');
  });
  test('belong to the fsGroup, whose members may read them', asRoot, async () => {
    const pod = podWith(
      { name: 'v', secret: { secretName: 'c', defaultMode: 0o400, items: [{ key: 'one', path: 'f/one' }] } },
      { securityContext: { fsGroup: GROUP } },
    );
    await setUp(pod);
    const file = inPod('volumes/kubernetes.io~secret/v/f/one');
    assert.equal(await mode(file), '440');
    assert.equal((await stat(file)).gid, GROUP);
    assert.equal(await mode(inPod('volumes/kubernetes.io~secret/v')), '2777');
  });
  test('a token is only for who runs the containers', asRoot, async () => {
    const sources = [{ serviceAccountToken: { path: 't' } }];
    const file = inPod('volumes/kubernetes.io~projected/v/t');
    const cases: [Partial<PodSpec>, string, number][] = [
      [{}, '644', 0],
      [{ securityContext: { fsGroup: GROUP } }, '640', 0],
      [{ securityContext: { runAsUser: 1000 } }, '600', 1000],
      [{ containers: [main, { ...main, name: 'x', securityContext: { runAsUser: 7 } }] }, '644', 0],
    ];
    for (const [spec, wanted, uid] of cases) {
      await rm(inPod(), { recursive: true, force: true });
      const volumes = await setUp(podWith({ name: 'v', projected: { sources } }, spec));
      assert.deepEqual([await mode(file), (await stat(file)).uid], [wanted, uid]);
      assert.equal(volumes.renewMs, 900);
    }
  });
  test('all that is wrong with a projection is told at once; a later source wins', async () => {
    const one = (path: string) => ({ configMap: { name: 'c', items: [{ key: 'one', path }] } });
    const wrong = [one('a'), { secret: { name: 'no' } }, { configMap: { name: 'neither' } }];
    await setUp(podWith({ name: 'v', projected: { sources: wrong } }));
    assert.equal(
      told[0],
      'FailedMount: MountVolume.SetUp failed for volume "v" : [secret "no" not found, configmap "neither" not found]',
    );
    const twice = [one('a'), { configMap: { name: 'c', items: [{ key: 'not-text', path: 'a' }] } }];
    await setUp(podWith({ name: 'v', projected: { sources: twice, defaultMode: 0o600 } }));
    assert.equal((await readFile(inPod('volumes/kubernetes.io~projected/v/a'))).length, 3);
  });
  const trust: [string, object, string[] | string][] = [
    ['of a name', { name: 'plain' }, ['RERE']],
    ['of a signer, all', { signerName: 'x/s', labelSelector: {} }, ['QUFB', 'QkJC', 'Q0ND']],
    ['of a signer, some', { signerName: 'x/s', labelSelector: { matchLabels: { alive: 'no' } } }, ['QUFB', 'Q0ND']],
    ['of no selector', { signerName: 'x/s', optional: true }, []],
    ['of a name that is missing, optional', { name: 'no', optional: true }, []],
    [
      'of a name that is missing',
      { name: 'no' },
      'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "no" not found',
    ],
    [
      'of no selector, not optional',
      { signerName: 'x/s' },
      'combination of signerName and labelSelector matched zero ClusterTrustBundles',
    ],
  ];
  for (const [name, source, wanted] of trust)
    test(`trust anchors ${name}`, async () => {
      const sources = [{ clusterTrustBundle: { path: 't', ...source } }];
      await setUp(podWith({ name: 'v', projected: { sources } }));
      if (typeof wanted === 'string')
        return assert.deepEqual(told, [`FailedMount: MountVolume.SetUp failed for volume "v" : ${wanted}`]);
      const text = await readFile(inPod('volumes/kubernetes.io~projected/v/t'), 'utf8');
      const found = text.split('-----END CERTIFICATE-----\n').filter(Boolean);
      assert.deepEqual(found.map((b) => `${b}-----END CERTIFICATE-----\n`).sort(), wanted.map(pem).sort());
    });
  test('what this node has not is refused by its name', async () => {
    const sources = [{ somethingNew: {} } as object];
    await setUp(podWith({ name: 'v', projected: { sources } }));
    assert.match(told[0] ?? '', /projections of somethingNew are not carried out by this node$/);
  });
  test('a CSI volume waits for its driver', async () => {
    await setUp(podWith({ name: 'v', csi: { driver: 'd.example' } }));
    const why = 'driver name d.example not found in the list of registered CSI drivers';
    assert.deepEqual(told, [
      `FailedMount: MountVolume.SetUp failed for volume "v" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: ${why}`,
    ]);
  });
  test('only volumes that a container mounts are made', async () => {
    await setUp(podWith({ name: 'unused', configMap: { name: 'no' } }));
    assert.deepEqual(told, []);
  });
  test('folders are made in them for what is mounted below', () => {
    const mounts = ['/v', '/v/a', '/v/a/deep', '/v/b-c', '/v2/x', '/w/v/y'];
    const volumeMounts = mounts.map((mountPath, i) => ({ name: i === 0 ? 'v' : `o${i}`, mountPath }));
    const pod = podWith({ name: 'v' }, { containers: [{ ...main, volumeMounts }] });
    assert.deepEqual(nestedMountPoints('v', pod), ['a', 'b-c']);
  });
});

describe('claims', () => {
  const bound: ClaimView = { metadata: { uid: 'cu' }, spec: { volumeName: 'pv' }, status: { phase: 'Bound' } };
  const volume = (spec: PersistentVolume['spec']): PersistentVolume => ({
    metadata: { name: 'pv' },
    spec: { claimRef: { uid: 'cu' }, ...spec },
  });
  const pod = podWith({ name: 'v', persistentVolumeClaim: { claimName: 'c' } });
  const claims = (claim: ClaimView, pv: PersistentVolume) =>
    parts({ claims: { claim: async () => claim, volume: async () => pv } });
  const unprocessed = (why: string) =>
    `FailedMount: Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: ${why}`;
  const of = 'error processing PVC ns/c: ';
  const host = () => volume({ hostPath: { path: root } });
  const terms = (zone: string) => ({
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In' as const, values: [zone] }] }] },
  });
  const cases: [string, () => [ClaimView, PersistentVolume], string | null][] = [
    ['bound to a hostPath', () => [bound, host()], null],
    ['not bound', () => [{ ...bound, status: { phase: 'Pending' } }, host()], unprocessed(`${of}PVC is not bound`)],
    [
      'being deleted',
      () => [{ ...bound, metadata: { uid: 'cu', deletionTimestamp: 'x' } }, host()],
      unprocessed(`${of}PVC is being deleted`),
    ],
    [
      'of another volume',
      () => [bound, volume({ claimRef: { uid: 'other' }, hostPath: { path: '/' } })],
      unprocessed(`${of}found PV object pv but its pv.Spec.ClaimRef.UID other does not point to claim.UID cu`),
    ],
    [
      'a block device that is mounted',
      () => [bound, volume({ volumeMode: 'Block', local: { path: '/dev/x' } })],
      unprocessed('volume v has volumeMode Block, but is specified in volumeMounts'),
    ],
    [
      'of a type that is not here',
      () => [bound, volume({ accessModes: [], csi: {} })],
      unprocessed(
        'failed to get Plugin from volumeSpec for volume "pv" err=volumes of type csi are not carried out by this node',
      ),
    ],
    [
      'on another node',
      () => [bound, volume({ local: { path: root }, nodeAffinity: terms('b') })],
      'FailedMount: MountVolume.NodeAffinity check failed for volume "pv" : no matching NodeSelectorTerms',
    ],
    [
      'local, gone',
      () => [bound, volume({ local: { path: '/no/such' } })],
      'FailedMount: MountVolume.MountDevice failed for volume "pv" : path "/no/such" does not exist',
    ],
  ];
  for (const [name, make, text] of cases)
    test(name, async () => {
      await setUp(pod, claims(...make()));
      assert.deepEqual(told, text === null ? [] : [text]);
    });
  test(
    'a local volume is shown in the pod, given to its group, and left as it is when the pod goes',
    asRoot,
    async () => {
      const from = join(root, 'disk');
      await mkdir(join(from, 'kept'), { recursive: true });
      const spec = { local: { path: from }, nodeAffinity: terms('a') };
      const volumes = await setUp(
        { ...pod, spec: { ...pod.spec, securityContext: { fsGroup: GROUP } } },
        claims(bound, volume(spec)),
      );
      const target = inPod('volumes/kubernetes.io~local-volume/pv');
      assert.equal(volumes.get('v')?.path, target);
      assert.deepEqual([mounter.mounts[0]?.source, mounter.mounts[0]?.path], [from, target]);
      await removePodDirectory(root, 'u', mounter);
      assert.ok(await stat(join(from, 'kept')));
      await assert.rejects(stat(inPod()));
    },
  );
});

describe('ownership', () => {
  test('a group gets everything, links only in name; a root that fits is left when asked', asRoot, async () => {
    const dir = join(root, 'd');
    await mkdir(join(dir, 'sub'), { recursive: true });
    await writeFile(join(dir, 'sub/f'), '', { mode: 0o600 });
    await writeFile(join(root, 'outside'), '', { mode: 0o600 });
    await symlink(join(root, 'outside'), join(dir, 'link'));
    await giveToGroup(dir, GROUP, { readonly: false });
    assert.deepEqual([await mode(dir), await mode(join(dir, 'sub/f'))], ['2775', '660']);
    assert.equal((await lstat(join(dir, 'link'))).gid, GROUP);
    assert.deepEqual([(await stat(join(root, 'outside'))).gid, await mode(join(root, 'outside'))], [0, '600']);
    await writeFile(join(dir, 'late'), '', { mode: 0o600 });
    await giveToGroup(dir, GROUP, { readonly: false, onMismatch: true });
    assert.equal(await mode(join(dir, 'late')), '600');
    await giveToGroup(dir, GROUP + 1, { readonly: false, onMismatch: true });
    assert.equal(await mode(join(dir, 'late')), '660');
  });
  test('one user of all containers is the pod user', () => {
    const c = (runAsUser?: number): Container => ({
      ...main,
      ...(runAsUser === undefined ? {} : { securityContext: { runAsUser } }),
    });
    const cases: [Partial<PodSpec>, number | undefined][] = [
      [{ containers: [c(1), c(1)] }, 1],
      [{ containers: [c(1), c(2)] }, undefined],
      [{ containers: [c(1), c()] }, undefined],
      [{ containers: [c(1), c()], securityContext: { runAsUser: 1 } }, 1],
      [{ containers: [c()], initContainers: [c(3)] }, undefined],
    ];
    for (const [spec, user] of cases) assert.equal(userOf(podWith({ name: 'v' }, spec)), user);
  });
});

describe('subPaths', () => {
  const at = (subPath: string) => ({
    volumePath: join(root, 'vol'),
    podDir: join(root, 'pod'),
    ...{ subPath, volume: 'v', container: 'c', index: 0 },
  });
  beforeEach(() => mkdir(join(root, 'vol/sub'), { recursive: true, mode: 0o777 }));

  test('a folder and a file are bound, and found again', async () => {
    await writeFile(join(root, 'vol/file'), 'x');
    const dir = await bindSubPath(at('sub'), mounter);
    assert.equal(dir, join(root, 'pod/volume-subpaths/v/c/0'));
    assert.ok((await stat(dir)).isDirectory());
    const file = await bindSubPath({ ...at('file'), index: 1 }, mounter);
    assert.ok((await stat(file)).isFile());
    assert.match(mounter.mounts[0]?.source ?? '', /^\/proc\/\d+\/fd\/\d+$/);
  });
  test('links within the volume are followed, those that lead out are not', async () => {
    await symlink('sub', join(root, 'vol/inside'));
    await symlink('/etc', join(root, 'vol/outside'));
    await bindSubPath(at('inside'), mounter);
    await assert.rejects(bindSubPath({ ...at('outside'), index: 1 }, mounter), /not within volume path/);
    await assert.rejects(makeSubPath(join(root, 'vol'), 'outside/made'), /not within volume path/);
    await assert.rejects(stat('/etc/made'));
  });
  test('folders that are missing are made with the mode of the volume', async () => {
    await import('node:fs/promises').then((fs) => fs.chmod(join(root, 'vol'), 0o2775));
    await makeSubPath(join(root, 'vol'), 'sub/new/deep');
    assert.deepEqual(
      [await mode(join(root, 'vol/sub/new')), await mode(join(root, 'vol/sub/new/deep'))],
      ['2775', '2775'],
    );
  });
  test('one that was bound before is used again, or bound anew when the volume is another', async () => {
    const target = await bindSubPath(at('sub'), mounter);
    // The fake's target isn't the source: to it the volume looks as if made anew.
    await bindSubPath(at('sub'), mounter);
    assert.deepEqual(
      mounter.mounts.map((m) => m.path),
      [target],
    );
  });
});

describe('the end of a pod', () => {
  test('nothing is deleted while something is mounted in there', async () => {
    await mkdir(inPod('volumes/x'), { recursive: true });
    await writeFile(inPod('volumes/x/precious'), '');
    await mounter.mount({ type: 'tmpfs', source: 'tmpfs', target: inPod('volumes/x'), options: [] });
    mounter.unmount = async () => Promise.reject(new Error('busy'));
    await assert.rejects(removePodDirectory(root, 'u', mounter), /busy/);
    mounter.unmount = async () => undefined;
    await assert.rejects(removePodDirectory(root, 'u', mounter), /is still mounted/);
    assert.ok(await stat(inPod('volumes/x/precious')));
  });
  test('links are removed, not what they point to; inner mounts go before outer ones', async () => {
    await mkdir(inPod('volumes/x/y'), { recursive: true });
    await mkdir(join(root, 'other'));
    await writeFile(join(root, 'other/kept'), '');
    await symlink(join(root, 'other'), inPod('volumes/link'));
    const order: string[] = [];
    for (const target of [inPod('volumes/x'), inPod('volumes/x/y')]) await mounter.bind('/s', target);
    const unmount = mounter.unmount.bind(mounter);
    mounter.unmount = async (t) => {
      order.push(t);
      return unmount(t);
    };
    await removePodDirectory(root, 'u', mounter);
    assert.deepEqual(order, [inPod('volumes/x/y'), inPod('volumes/x')]);
    assert.ok(await stat(join(root, 'other/kept')));
  });
  test('a uid that is no name is refused', async () => {
    for (const uid of ['', '.', '..', 'a/b'])
      await assert.rejects(removePodDirectory(root, uid, mounter), /^Error: no uid/);
  });
});

test('mountinfo is read with its escapes and optional fields', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '37 35 0:5 / /a\\040b rw - tmpfs tmpfs rw,size=16k',
    '',
  ].join('\n');
  assert.deepEqual(parseMountInfo(text), [
    { path: '/mnt2', type: 'ext3', options: 'rw,errors=continue' },
    { path: '/a b', type: 'tmpfs', options: 'rw,size=16k' },
  ]);
});
