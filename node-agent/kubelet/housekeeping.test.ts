import assert from 'node:assert/strict';
import { mkdir, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { AuthConfig, Container as CriContainer, Image } from '../runtime/messages.ts';
import { placeMatches, pullCredentials } from './credentials.ts';
import { Housekeeping } from './housekeeping.ts';
import {
  bytesToFree,
  imagesInUse,
  imagesOfStatus,
  notEnough,
  removableImages,
  seeImages,
  sizeText,
} from './imagegc.ts';
import type { Pod } from './pod.ts';
import { PulledImages } from './pulledimages.ts';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const image = (name: string, size: number, more: Partial<Image> = {}): Image => ({
  id: `sha256:${name}`,
  repoTags: [`reg.test/${name}:1`],
  repoDigests: [`reg.test/${name}@sha256:d${name}`],
  size,
  username: '',
  pinned: false,
  ...more,
});
const made = (imageRef: string) => ({ imageRef, imageId: '' }) as CriContainer;

describe('images that may go', () => {
  const images = [image('a', 1), image('b', 2), image('c', 3), image('pause', 4, { pinned: true })];
  test('are used by no container, whoever made it, told by id, tag or digest', () => {
    const used = imagesInUse(images, [made('sha256:a'), made('reg.test/b@sha256:db')]);
    assert.deepEqual([...used], ['sha256:a', 'sha256:b']);
  });
  test('go in the order of their last use; new and pinned ones stay', () => {
    const records = new Map();
    seeImages(records, images.slice(0, 2).concat(images[3] ?? []), new Set(['sha256:a']), 0);
    seeImages(records, images, new Set(['sha256:b']), 100_000);
    const gone = (now: number) => removableImages(records, images, new Set(), now).map((i) => i.id);
    assert.deepEqual(gone(150_000), ['sha256:a', 'sha256:b']);
    assert.deepEqual(gone(250_000), ['sha256:a', 'sha256:c', 'sha256:b']);
  });
  test('count from 85 % of the disk until 80 %', () => {
    const cases: [number, number, number][] = [
      [100, 16, 0],
      [100, 15, 5],
      [100, 0, 20],
      [1000, 149, 51],
      [100, 200, 0],
    ];
    for (const [capacity, available, bytes] of cases)
      assert.equal(bytesToFree(capacity, available).bytes, bytes, `${available} of ${capacity}`);
  });
  test('sizes and the warning read as upstream writes them', () => {
    const texts = [1023, 1024, 1536, 5 * 1024 ** 2, 252.5 * 1024 ** 3, 3 * 1024 ** 4].map(sizeText);
    assert.deepEqual(texts, ['1023 B', '1.0 KiB', '1.5 KiB', '5.0 MiB', '252.5 GiB', '3.0 TiB']);
    assert.match(
      notEnough(91, 1024 ** 3, 7),
      /\(91% of 1\.0 GiB used\)\. Failed to free sufficient space .*\(freed 7 bytes\)/,
    );
  });
  test('a Node shows the largest fifty, five names of each, digests first', () => {
    const many = Array.from({ length: 60 }, (_, i) => image(`i${i}`, i));
    const shown = imagesOfStatus(many);
    assert.deepEqual([shown.length, shown[0]?.sizeBytes, shown[0]?.names[0]], [50, 59, 'reg.test/i59@sha256:di59']);
    const named = imagesOfStatus([image('x', 1, { repoTags: ['1', '2', '3', '4', '5', '6'] })]);
    assert.deepEqual(named[0]?.names, ['reg.test/x@sha256:dx', '1', '2', '3', '4']);
  });
});

describe('a full image disk', () => {
  const keeping = (available: number, told: string[] = []) =>
    new Housekeeping({
      ...{ runtime: m.runtime, images: m.runtime.images, root: m.root, logRoot: join(m.root, 'logs') },
      ...{ mounter: m.mounter, env: m.clock, pulled: new PulledImages(join(m.root, 'p.json')) },
      seen: () => undefined,
      pods: () => undefined,
      disk: async () => ({ capacity: 10_000_000, available }),
      tell: (_, reason, text) => told.push(`${reason}: ${text}`),
    });
  test('loses what no container uses, and no more than it must', async () => {
    for (const name of ['one', 'two', 'three']) m.runtime.images.offer(name, { command: ['pause'], size: 300_000 });
    for (const name of ['one', 'two', 'three']) await m.runtime.images.pullImage({ image: name });
    await m.create('a', { containers: [container('main', ['pause'])] });
    const told: string[] = [];
    const h = keeping(1_500_000, told);
    assert.equal(await h.collectImages(), 0, 'all are new');
    await m.clock.advance(130_000);
    assert.equal(await h.collectImages(), 600_000);
    const left = (await m.runtime.images.listImages()).flatMap((i) => i.repoTags);
    assert.deepEqual(left.sort(), ['docker.io/library/busybox:latest', 'docker.io/library/three:latest']);
    assert.match(told[0] ?? '', /^FreeDiskSpaceFailed: Insufficient free disk space .*\(85% of 9\.5 MiB used\)/);
  });
  test('that is not full keeps all', async () => {
    await m.runtime.images.pullImage({ image: 'busybox' });
    const h = keeping(5_000_000);
    await h.collectImages();
    await m.clock.advance(600_000);
    assert.equal(await h.collectImages(), 0);
  });
});

describe('leftovers', () => {
  test('of pods that are gone go with their mounts and logs; those of pods that are here stay', async () => {
    await m.create('a', { containers: [container('main', ['pause'])] });
    const dead: Pod = { metadata: { name: 'dead', namespace: 'default', uid: 'uid-dead' }, spec: { containers: [] } };
    await mkdir(join(m.root, 'pods/uid-dead/volumes/x'), { recursive: true });
    await writeFile(join(m.root, 'pods/uid-dead/pod.json'), JSON.stringify(dead));
    await mkdir(join(m.root, 'pods/uid-nameless'), { recursive: true });
    await mkdir(join(m.root, 'logs/default_dead_uid-dead/main'), { recursive: true });
    await m.mounter.mount({ type: 'tmpfs', source: 't', target: join(m.root, 'pods/uid-dead/volumes/x'), options: [] });
    await m.pass(62);
    assert.deepEqual(await readdir(join(m.root, 'pods')), ['uid-a']);
    assert.deepEqual(m.mounter.mounts, []);
    assert.deepEqual(await readdir(join(m.root, 'logs')), ['default_a_uid-a']);
  });
  test('logs are found by names that collectors know, as long as they are there', async () => {
    const said = container('main', ['sh', '-c', 'echo said; pause']);
    await m.create('a', { containers: [said] });
    const links = join(m.root, 'containers');
    const name = `a_default_main-${m.id('a')}.log`;
    assert.deepEqual(await readdir(links), [name]);
    assert.equal(await readlink(join(links, name)), join(m.root, 'logs/default_a_uid-a/main/0.log'));
    await symlink('/no/such/log', join(links, 'of-others.log'));
    await m.delete('a', 1);
    await m.pass(65);
    assert.deepEqual(await readdir(links), ['of-others.log']);
  });
  test('a log that has grown is rotated while its container runs', async () => {
    await m.create('a', { containers: [container('main', ['pause'])] });
    const log = join(m.root, 'logs/default_a_uid-a/main/0.log');
    await mkdir(join(log, '..'), { recursive: true });
    await writeFile(log, Buffer.alloc(10 * 1024 * 1024));
    await m.pass(11);
    assert.ok(m.runtime.calls.some((c) => c.startsWith('reopenContainerLog')));
    const names = await readdir(join(log, '..'));
    assert.ok(
      names.some((n) => /^0\.log\.\d{8}-\d{6}$/.test(n)),
      names.join(),
    );
    assert.equal((await stat(join(log, '..', names.find((n) => n !== '0.log') ?? ''))).size, 10 * 1024 * 1024);
  });
});

describe('credentials of pulls', () => {
  const matches: [string, string, boolean][] = [
    ['reg.test', 'reg.test/a', true],
    ['reg.test/a', 'reg.test/ab/c', true],
    ['reg.test/b', 'reg.test/a', false],
    ['reg.test', 'reg.test:5000/a', false],
    ['*.test', 'reg.test/a', true],
    ['*.test', 'a.reg.test/a', false],
    ['r?g.test', 'reg.test/a', true],
  ];
  for (const [place, repository, yes] of matches)
    test(`${place} is ${yes ? '' : 'not '}for ${repository}`, () => assert.equal(placeMatches(place, repository), yes));

  test('are tried from the longest place on, secrets in their order', async () => {
    const secrets: Record<string, Record<string, object>> = {
      one: {
        'reg.test': { username: 'host', password: '1' },
        'https://index.docker.io/v1/': { username: 'hub', password: '1' },
      },
      two: {
        'reg.test/team': { username: 'team', password: '2' },
        'http://reg.test/v2/': { username: 'later', password: '2' },
      },
    };
    const refs = {
      configMap: async () => null,
      secret: async (_: string, name: string) => {
        const auths = secrets[name];
        return auths ? { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })) } : null;
      },
    };
    const imagePullSecrets = [{ name: 'one' }, { name: 'gone' }, { name: 'two' }];
    const pod = { metadata: { name: 'p', namespace: 'n' }, spec: { containers: [], imagePullSecrets } };
    const users = async (name: string) => (await pullCredentials(pod, name, refs)).map((a) => a.username);
    assert.deepEqual(await users('reg.test/team/app:1'), ['team', 'host', 'later']);
    assert.deepEqual(await users('reg.test/other@sha256:abc'), ['host', 'later']);
    assert.deepEqual(await users('busybox'), ['hub']);
    assert.deepEqual(await users('docker.io/library/busybox'), ['hub']);
    assert.deepEqual(await users('else.test/x'), []);
  });
});

describe('an image that took a secret to pull', () => {
  const auth: AuthConfig = { username: 'u', password: 'p' };
  const withNone = async () => [];
  test("is for pods that show it; one that took none, or was there before, is everybody's", async () => {
    const path = join(m.root, 'images/pulled.json');
    const p = new PulledImages(path);
    assert.equal(await p.allows('id', 'reg.test/a:1', withNone), true, 'it was there before');
    await p.add('id', 'reg.test/a:1', auth);
    assert.equal(await p.allows('id', 'reg.test/a:2', withNone), false);
    assert.equal(await p.allows('id', 'reg.test/a:1', async () => [{ ...auth }]), true);
    assert.equal(
      await p.allows('id', 'reg.test/b:1', async () => [auth]),
      false,
      'the same content of another repository',
    );
    const next = new PulledImages(path);
    assert.equal(await next.allows('id', 'reg.test/a:1', withNone), false, 'an agent that begins anew knows it');
    await next.add('id', 'reg.test/a:1', undefined);
    assert.equal(await next.allows('id', 'reg.test/a:1', withNone), true);
    await next.keep(new Set());
    assert.equal(await next.allows('id', 'reg.test/b:1', withNone), true, 'forgotten with the image');
  });
  test('is pulled again for a pod without it, and not given to one that may not pull', async () => {
    m.runtime.images.offer('reg.test/private:1', { command: ['pause'] });
    const data = {
      '.dockerconfigjson': Buffer.from(JSON.stringify({ auths: { 'reg.test': auth } })).toString('base64'),
    };
    m.api.objects.set('/api/v1/namespaces/default/secrets/s', { data });
    const containers = [{ ...container('main', ['pause']), image: 'reg.test/private:1' }];
    await m.create('a', { containers, imagePullSecrets: [{ name: 's' }] });
    await m.create('b', { containers });
    assert.equal(m.runtime.images.pulls.length, 2);
    await m.create('c', { containers: containers.map((c) => ({ ...c, imagePullPolicy: 'Never' as const })) });
    assert.equal(m.status('c').phase, 'Running', "b pulled it without a secret: it is everybody's");
  });
});
