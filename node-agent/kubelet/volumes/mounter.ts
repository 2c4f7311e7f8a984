import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** One line of mountinfo: proc_pid_mountinfo(5). */
export interface MountPoint {
  path: string;
  type: string;
  /** Of the file system: `rw,size=1024k`. */
  options: string;
}

/** Mounts of this machine, as the kernel has them. `machineMounter` does it, `FakeMounter` (testing/mounter.ts) remembers it. */
export interface Mounter {
  /** Mount points at `dir` and below it, each after those it lies in. */
  below(dir: string): Promise<MountPoint[]>;
  mount(o: { type: string; source: string; target: string; options: readonly string[] }): Promise<void>;
  /** Shows `source` (a file or a folder) at `target` too. A source below /proc isn't followed by name. */
  bind(source: string, target: string): Promise<void>;
  unmount(target: string): Promise<void>;
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
const decoded = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The mount points in a text of /proc/self/mountinfo, in its order. */
export function parseMountInfo(text: string): MountPoint[] {
  const out: MountPoint[] = [];
  for (const line of text.split('\n')) {
    const [own, system] = line.split(' - ');
    const path = own?.split(' ')[4];
    if (path === undefined || system === undefined) continue;
    const [type = '', , options = ''] = system.split(' ');
    out.push({ path: decoded(path), type, options });
  }
  return out;
}

/** True for `dir` itself and all that lies in it, by name. */
export const isWithin = (path: string, dir: string) => path === dir || path.startsWith(`${dir}/`);

/** Runs mount(8) or umount(8); the error tells what mount-utils tells. */
function call(program: 'mount' | 'umount', args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const [name, what] = program === 'mount' ? ['mount', 'Mounting'] : ['unmount', 'Unmounting'];
      const why = typeof error.code === 'number' ? `exit status ${error.code}` : error.message;
      const details = program === 'mount' ? `${what} command: ${program}\n` : '';
      reject(
        new Error(`${name} failed: ${why}\n${details}${what} arguments: ${args.join(' ')}\nOutput: ${stdout}${stderr}`),
      );
    });
  });
}

/** The mounts of the namespace that this process is in. */
export const machineMounter: Mounter = {
  async below(dir) {
    return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')).filter((m) => isWithin(m.path, dir));
  },
  mount({ type, source, target, options }) {
    return call('mount', ['-t', type, ...(options.length > 0 ? ['-o', options.join(',')] : []), source, target]);
  },
  bind: (source, target) => call('mount', ['--no-canonicalize', '-o', 'bind', source, target]),
  unmount: (target) => call('umount', [target]),
};
