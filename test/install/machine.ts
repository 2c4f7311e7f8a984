import { execFile, spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
/** Where the machine has the checkout. */
const CHECKOUT = '/root/coracle';

/** A machine that was just installed: a root of its own of nothing but what Debian calls essential, own processes, network and host name. */
export interface FreshMachine {
  /** Addresses of this machine and of the other, on the cable between them. */
  host: string;
  address: string;
  /** Runs a program there, by default in the checkout; its lines go to `say` as they come. Rejects where it fails, with its last lines. */
  exec(command: readonly string[], o?: { env?: Record<string, string>; say?: (line: string) => void }): Promise<string>;
  /** Path here of a file there. */
  path(there: string): string;
  close(): Promise<void>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Enough to see why. */
const LAST_LINES = 15;

/** Why no such machine can be made here; undefined where one can. */
export async function hindrance(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  const has = (p: string) =>
    run('which', [p]).then(
      () => true,
      () => false,
    );
  for (const [program, ...from] of [['mmdebstrap', 'mmdebstrap']] as const)
    if (!(await has(program))) await run('apt-get', ['install', '-y', '-q', ...from]).catch(() => undefined);
  for (const program of ['mmdebstrap', 'unshare', 'nsenter', 'ip']) if (!(await has(program))) return `no ${program}`;
  return undefined;
}

/** What apt here takes packages of this release from: files in apt's own forms. */
function sourcesOf(suite: string): string[] {
  const files = [...globSync('/etc/apt/sources.list.d/*.{sources,list}'), '/etc/apt/sources.list'];
  return files.filter((f) => existsSync(f) && new RegExp(`^[^#]*\\b${suite}\\b`, 'm').test(readFileSync(f, 'utf8')));
}

/**
 * Makes one of Debian's release `suite`, with this checkout in it; `modules`: with its npm packages too, by a mount. Its packages come through this machine's
 * sources. `subnet`: the cable is 10.212.x.0/24.
 */
export async function freshMachine(o: { suite: string; subnet: number; modules?: boolean }): Promise<FreshMachine> {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-fresh-'));
  const id = `cori${process.pid % 100_000}-${o.subnet}`;
  const [host, address] = [`10.212.${o.subnet}.1`, `10.212.${o.subnet}.2`];
  const at = (path: string) => join(dir, 'root', path === '/' ? '' : path);
  let first: ReturnType<typeof spawn> | undefined;
  const close = async () => {
    // With the first process all others of its namespace end, and their mounts with them.
    if (first && first.exitCode === null) {
      const ended = new Promise((r) => first?.once('exit', r));
      first.kill('SIGKILL');
      await ended;
    }
    await run('ip', ['netns', 'delete', id]).catch(() => undefined); // not made
    await run('rm', ['-rf', '--one-file-system', dir]);
  };
  try {
    await debootstrap(o.suite, at('/'));
    await copyCheckout(at(CHECKOUT));
    await trust(at('/'));
    await writeFile(at('/etc/hosts'), '127.0.0.1 localhost fresh\n');
    await writeFile(at('/etc/resolv.conf'), `nameserver ${host}\n`);
    await cable(id, host, address);
    const made = await startFirst(id, at('/'), o.modules ?? false);
    first = made.child;
    const enter = [`--target=${made.pid}`, '--mount', '--pid', '--net', '--uts', '--ipc'];
    return {
      host,
      address,
      path: at,
      close,
      exec: (command, { env = {}, say } = {}) => {
        const variables = Object.entries({ HOME: '/root', PATH, LC_ALL: 'C.UTF-8', ...env }).map(
          ([k, v]) => `${k}=${v}`,
        );
        const there = ['bash', '-c', `cd ${CHECKOUT} && exec "$@"`, 'exec', ...command];
        return output('nsenter', [...enter, '/usr/bin/env', '-i', ...variables, ...there], say);
      },
    };
  } catch (e) {
    await close();
    throw e;
  }
}

async function debootstrap(suite: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  // apt works as a user of its own.
  await chmod(dirname(to), 0o755);
  await run('mmdebstrap', ['--variant=minbase', '--quiet', suite, to, ...sourcesOf(suite)], { maxBuffer: 1 << 26 });
}

async function copyCheckout(to: string): Promise<void> {
  const { stdout } = await run('git', ['-C', root, 'ls-files', '-z'], { maxBuffer: 1 << 26 });
  for (const file of stdout.split('\0').filter((f) => f !== '' && existsSync(join(root, f)))) {
    await mkdir(dirname(join(to, file)), { recursive: true });
    await cp(join(root, file), join(to, file));
  }
}

/** A machine behind a proxy has been given the proxy's CA, as this one has. */
async function trust(to: string): Promise<void> {
  const own = '/usr/local/share/ca-certificates';
  if (existsSync(own)) await cp(own, join(to, own), { recursive: true });
}

async function cable(id: string, host: string, address: string): Promise<void> {
  const inside = (...args: string[]) => run('ip', ['-n', id, ...args]);
  await run('ip', ['netns', 'add', id]);
  await run('ip', ['link', 'add', id, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', id]);
  await run('ip', ['address', 'add', `${host}/24`, 'dev', id]);
  await run('ip', ['link', 'set', id, 'up']);
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'add', `${address}/24`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await inside('route', 'add', 'default', 'via', host);
}

/** What the machine's first process does: it takes its root, tells that it is there, and buries the dead. */
const FIRST = `
set -e
hostname fresh
root=$1 modules=$2
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
[ -z "$modules" ] || { mkdir -p root/coracle/node_modules; mount --bind "$modules" root/coracle/node_modules; }
mkdir -p old
pivot_root . old
cd /
umount -l /old
rmdir /old
mount --make-rshared /
exec 3>&-
echo up
while :; do sleep 1000 & wait $!; done
`;

async function startFirst(
  id: string,
  at: string,
  modules: boolean,
): Promise<{ child: ReturnType<typeof spawn>; pid: number }> {
  const own = modules ? (await run('readlink', ['-f', join(root, 'node_modules')])).stdout.trim() : '';
  const unshare = ['unshare', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child'];
  const child = spawn('nsenter', [`--net=/run/netns/${id}`, ...unshare, 'bash', '-c', FIRST, 'first', at, own], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (b: Buffer) => {
    said += b;
  });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => resolve());
    child.once('exit', () => reject(new Error(`the machine's first process ended: ${said}`)));
  });
  const { stdout } = await run('pgrep', ['-P', String(child.pid)]);
  return { child, pid: Number(stdout.trim().split('\n')[0]) };
}

function output(program: string, args: string[], say?: (line: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    const lines: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (s: string) => {
      out += s;
    });
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        say?.(line);
      });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${args.slice(-6).join(' ')}: exit code ${code}\n${lines.slice(-LAST_LINES).join('\n')}`));
    });
  });
}
