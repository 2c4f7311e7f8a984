import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError, type Downward, fieldValue, type References, resourceValue } from './env.ts';
import type { DownwardItem, KeyToPath, Pod, Volume } from './pod.ts';

const run = promisify(execFile);

/** Upstream's default of every volume of files. */
const DEFAULT_MODE = 0o644;

/** One file of a volume. */
interface File {
  path: string;
  data: Uint8Array;
  mode: number;
}

/** Signs a ServiceAccount token for a pod; the agent caches and renews it. */
export type TokenSource = (pod: Pod, audience: string | undefined, expirationSeconds: number) => Promise<string>;

export interface VolumeParts {
  /** `<root>/pods/<uid>/volumes` is made below it. */
  root: string;
  refs: References;
  token: TokenSource;
}

/** Where a pod's volumes are. */
export function volumesDirectory(root: string, uid: string): string {
  return join(root, 'pods', uid, 'volumes');
}

/**
 * Makes one volume of a pod ready and gives its path on this machine. May be called again at any time: volumes of files are
 * brought up to date by an atomic swap, as kubelet's AtomicWriter does, so that a reader never sees half of an update.
 */
export async function setUpVolume(pod: Pod, v: Volume, parts: VolumeParts, down: Downward): Promise<string> {
  const dir = (plugin: string) =>
    join(volumesDirectory(parts.root, pod.metadata.uid ?? ''), `kubernetes.io~${plugin}`, v.name);
  const group = pod.spec.securityContext?.fsGroup;
  if (v.hostPath) return hostPath(v.hostPath);
  if (v.emptyDir) return emptyDir(dir('empty-dir'), v.emptyDir, group);
  if (v.configMap)
    return files(dir('configmap'), await configMapFiles(pod, v.configMap, parts, v.configMap.defaultMode), group);
  if (v.secret) {
    const source = { ...v.secret, name: v.secret.secretName };
    return files(dir('secret'), await secretFiles(pod, source, parts, v.secret.defaultMode), group);
  }
  if (v.downwardAPI)
    return files(
      dir('downward-api'),
      downwardFiles(pod, v.downwardAPI.items ?? [], v.downwardAPI.defaultMode, down),
      group,
    );
  if (v.projected) return files(dir('projected'), await projectedFiles(pod, v.projected, parts, down), group);
  throw new ConfigError(`volume ${v.name} has a type that this agent does not have yet`, 'FailedMount');
}

/** Brings those volumes of files that have been made up to date: what they come from may have changed, tokens end. */
export async function refreshVolumes(pod: Pod, parts: VolumeParts, down: Downward): Promise<void> {
  for (const v of pod.spec.volumes ?? []) {
    if (v.hostPath || v.emptyDir) continue;
    const plugin = v.configMap ? 'configmap' : v.secret ? 'secret' : v.downwardAPI ? 'downward-api' : 'projected';
    const dir = join(volumesDirectory(parts.root, pod.metadata.uid ?? ''), `kubernetes.io~${plugin}`, v.name);
    if (await stat(dir).catch(() => null)) await setUpVolume(pod, v, parts, down);
  }
}

/** Takes a pod's volumes away; emptyDir's content with them. */
export async function tearDownVolumes(root: string, uid: string): Promise<void> {
  const dir = join(root, 'pods', uid);
  const memory = (await mountsBelow(dir)).reverse();
  for (const path of memory) await run('umount', [path]);
  await rm(dir, { recursive: true, force: true });
}

async function mountsBelow(dir: string): Promise<string[]> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile('/proc/self/mounts', 'utf8');
  return text
    .split('\n')
    .map((l) => l.split(' ')[1] ?? '')
    .filter((p) => p.startsWith(`${dir}/`));
}

async function emptyDir(
  path: string,
  spec: { medium?: string; sizeLimit?: string },
  group: number | undefined,
): Promise<string> {
  await mkdir(path, { recursive: true });
  if (spec.medium === 'Memory' && !(await mountsBelow(dirname(path))).includes(path)) {
    await run('mount', ['-t', 'tmpfs', 'tmpfs', path]);
  }
  await chmod(path, 0o777);
  if (group !== undefined) {
    await chown(path, 0, group);
    await chmod(path, 0o2777);
  }
  return path;
}

async function hostPath(spec: { path: string; type?: string }): Promise<string> {
  const found = await stat(spec.path).catch(() => null);
  const type = spec.type ?? '';
  if (type === 'DirectoryOrCreate' && !found) await mkdir(spec.path, { recursive: true, mode: 0o755 });
  else if (type === 'FileOrCreate' && !found) await writeFile(spec.path, '', { mode: 0o644 });
  else if (type === 'Directory' && !found?.isDirectory())
    throw new ConfigError(`hostPath type check failed: ${spec.path} is not a directory`, 'FailedMount');
  else if (type === 'File' && !found?.isFile())
    throw new ConfigError(`hostPath type check failed: ${spec.path} is not a file`, 'FailedMount');
  else if (type === 'Socket' && !found?.isSocket())
    throw new ConfigError(`hostPath type check failed: ${spec.path} is not a socket file`, 'FailedMount');
  return spec.path;
}

function pick(
  data: Record<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  what: string,
  optional: boolean,
): File[] {
  if (!items) return Object.entries(data).map(([path, bytes]) => ({ path, data: bytes, mode }));
  return items.flatMap((i) => {
    const bytes = data[i.key];
    if (bytes === undefined) {
      if (optional) return [];
      throw new ConfigError(
        `${what} references non-existent ${what.startsWith('secret') ? 'secret' : 'config'} key: ${i.key}`,
        'FailedMount',
      );
    }
    return [{ path: i.path, data: bytes, mode: i.mode ?? mode }];
  });
}

type Source = { name: string; optional?: boolean; items?: KeyToPath[] };
async function configMapFiles(pod: Pod, s: Source, parts: VolumeParts, mode = DEFAULT_MODE): Promise<File[]> {
  const data = await parts.refs.configMap(pod.metadata.namespace ?? '', s.name);
  if (data === null && !s.optional) throw new ConfigError(`configmap "${s.name}" not found`, 'FailedMount');
  return pick(data ?? {}, s.items, mode, 'configmap', s.optional ?? false);
}
async function secretFiles(pod: Pod, s: Source, parts: VolumeParts, mode = DEFAULT_MODE): Promise<File[]> {
  const data = await parts.refs.secret(pod.metadata.namespace ?? '', s.name);
  if (data === null && !s.optional) throw new ConfigError(`secret "${s.name}" not found`, 'FailedMount');
  return pick(data ?? {}, s.items, mode, 'secret', s.optional ?? false);
}
function downwardFiles(pod: Pod, items: readonly DownwardItem[], mode = DEFAULT_MODE, down: Downward): File[] {
  return items.map((i) => {
    const text = i.fieldRef
      ? fieldValue(pod, i.fieldRef.fieldPath, down)
      : i.resourceFieldRef
        ? resourceValue(pod, i.resourceFieldRef, undefined, down)
        : '';
    return { path: i.path, data: Buffer.from(text), mode: i.mode ?? mode };
  });
}
async function projectedFiles(
  pod: Pod,
  p: NonNullable<Volume['projected']>,
  parts: VolumeParts,
  down: Downward,
): Promise<File[]> {
  const mode = p.defaultMode ?? DEFAULT_MODE;
  const out: File[] = [];
  for (const s of p.sources ?? []) {
    if (s.configMap) out.push(...(await configMapFiles(pod, s.configMap, parts, mode)));
    if (s.secret) out.push(...(await secretFiles(pod, s.secret, parts, mode)));
    if (s.downwardAPI) out.push(...downwardFiles(pod, s.downwardAPI.items ?? [], mode, down));
    if (s.serviceAccountToken) {
      const t = s.serviceAccountToken;
      const text = await parts.token(pod, t.audience, t.expirationSeconds ?? 3600);
      // Only its pod may read a token: group-readable when an fsGroup says who that is.
      const tokenMode = pod.spec.securityContext?.fsGroup !== undefined || runsAsOther(pod) ? mode : 0o600;
      out.push({ path: t.path, data: Buffer.from(text), mode: tokenMode });
    }
  }
  return out;
}
const runsAsOther = (pod: Pod) =>
  [pod.spec.securityContext, ...pod.spec.containers.map((c) => c.securityContext)].some((s) => s?.runAsUser);

/** Puts files under `dir` as kubelet's AtomicWriter lays them: `..data` points to a timestamped folder, names point into `..data`. */
async function files(dir: string, wanted: File[], group: number | undefined): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o755 });
  for (const f of wanted) {
    const clean = normalize(f.path);
    if (clean.startsWith('..') || clean.startsWith('/'))
      throw new ConfigError(`invalid path ${JSON.stringify(f.path)} in a volume`, 'FailedMount');
  }
  const data = join(dir, '..data');
  const old = await readlink(data).catch(() => null);
  if (old !== null && (await same(join(dir, old), wanted))) return dir;
  const name = `..${new Date().toISOString().replace(/[-:T]/g, '_').slice(0, 19)}.${Math.floor(process.hrtime()[1])}`;
  const folder = join(dir, name);
  await mkdir(folder, { mode: 0o755 });
  for (const f of wanted) {
    const path = join(folder, f.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFile(path, f.data);
    await chmod(path, group === undefined ? f.mode : f.mode | 0o040);
    if (group !== undefined) await chown(path, 0, group);
  }
  const temporary = join(dir, '..data_tmp');
  await rm(temporary, { force: true });
  await symlink(name, temporary);
  await rename(temporary, data);
  const tops = [...new Set(wanted.map((f) => normalize(f.path).split('/')[0] ?? ''))];
  for (const top of tops) {
    if ((await readlink(join(dir, top)).catch(() => null)) === null) await symlink(join('..data', top), join(dir, top));
  }
  if (old !== null) {
    await rm(join(dir, old), { recursive: true, force: true });
    await removeOthers(dir, tops);
  }
  return dir;
}

async function same(folder: string, wanted: File[]): Promise<boolean> {
  const { readFile, readdir } = await import('node:fs/promises');
  const there = (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])).filter((e) =>
    e.isFile(),
  );
  if (there.length !== wanted.length) return false;
  for (const f of wanted) {
    const bytes = await readFile(join(folder, f.path)).catch(() => null);
    if (bytes === null || !bytes.equals(f.data)) return false;
  }
  return true;
}

async function removeOthers(dir: string, keep: readonly string[]): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  for (const e of await readdir(dir))
    if (!e.startsWith('..') && !keep.includes(e)) await rm(join(dir, e), { force: true });
}
