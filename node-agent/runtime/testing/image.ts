import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { tar } from '../../install/tar.ts';

const BUSYBOX_PATHS = ['/bin/busybox', '/usr/bin/busybox'];

export interface TestImage {
  /** Repository in the registry, without host. */
  repository: string;
  tag: string;
  manifest: Buffer;
  /** Layer and configuration. */
  blobs: Buffer[];
}

export const digest = (b: Uint8Array) => `sha256:${createHash('sha256').update(b).digest('hex')}`;

/** Where a static busybox is; null when none is installed (Debian: busybox-static). */
export function findBusybox(): string | null {
  return BUSYBOX_PATHS.find((p) => existsSync(p)) ?? null;
}

interface ImageConfig {
  entrypoint?: string[];
  cmd?: string[];
  user?: string;
}

/** A one-layer image of busybox with all its applets in /bin, a user `nobody` (65534) and a group `nogroup`. */
export function busyboxImage(repository: string, tag: string, c: ImageConfig): TestImage {
  const path = findBusybox();
  if (path === null) throw new Error('no busybox here (Debian: busybox-static)');
  const applets = execFileSync(path, ['--list'], { encoding: 'utf8' }).split('\n');
  const text = (s: string) => Buffer.from(s);
  const layer = tar([
    ...['bin/', 'etc/', 'root/', 'var/', 'home/'].map((p) => ({ path: p })),
    { path: 'tmp/', mode: 0o1777 },
    { path: 'bin/busybox', data: readFileSync(path), mode: 0o755 },
    ...applets.filter((a) => a && a !== 'busybox').map((a) => ({ path: `bin/${a}`, link: 'busybox' })),
    {
      path: 'etc/passwd',
      mode: 0o644,
      data: text('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n'),
    },
    { path: 'etc/group', mode: 0o644, data: text('root:x:0:\nnogroup:x:65534:\n') },
  ]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {
        Env: ['PATH=/bin'],
        ...(c.entrypoint ? { Entrypoint: c.entrypoint } : {}),
        ...(c.cmd ? { Cmd: c.cmd } : {}),
        ...(c.user ? { User: c.user } : {}),
      },
      rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    }),
  );
  const part = (mediaType: string, b: Buffer) => ({ mediaType, digest: digest(b), size: b.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: part('application/vnd.oci.image.config.v1+json', config),
      layers: [part('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  return { repository, tag, manifest, blobs: [layer, config] };
}
