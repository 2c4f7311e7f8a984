import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** A file system, in bytes and inodes. */
export interface Disk {
  capacityBytes: number;
  availableBytes: number;
  inodes: number;
  inodesFree: number;
}

/** What this machine has and how much of it is left: /proc and /sys, or a test's numbers. */
export interface MachineReader {
  memory(): { totalBytes: number; usedBytes: number; workingSetBytes: number; swapBytes: number };
  /** CPU time that was used since the machine began, by all of its cores. */
  cpu(): { cpuNanos: number; bootMs: number };
  processes(): { most: number; running: number };
  disk(path: string): Disk;
  /** Page size as in resource names (`2Mi`) and how many there are. */
  hugePages(): { size: string; pages: number; bytes: number }[];
}

/** A tick of /proc/stat: USER_HZ is 100 wherever Linux runs pods. */
const TICK_NANOS = 10_000_000;
/** The kernel's defaults where it doesn't say: a 32-bit pid space. */
const PIDS_MAX = 32_768;

/** Reads below `root` (tests: a folder with copies of such files). Works on cgroup v1 and v2. */
export function machineReader(root = '/'): MachineReader {
  const text = (path: string) => readFileSync(join(root, path), 'utf8');
  const number = (path: string) => {
    try {
      return Number(text(path));
    } catch {
      return undefined; // the other version of cgroups
    }
  };
  return {
    memory() {
      const info = fields(text('proc/meminfo'), 1024);
      const total = info.get('MemTotal') ?? 0;
      const used = number('sys/fs/cgroup/memory/memory.usage_in_bytes') ?? total - (info.get('MemFree') ?? 0);
      const inactive = inactiveFile(text, info);
      return {
        totalBytes: total,
        usedBytes: used,
        workingSetBytes: Math.max(0, used - inactive),
        swapBytes: info.get('SwapTotal') ?? 0,
      };
    },
    cpu() {
      const stat = text('proc/stat');
      const times = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = times;
      const bootMs = Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
      return { cpuNanos: (user + nice + system + irq + softirq + steal) * TICK_NANOS, bootMs };
    },
    processes() {
      const limits = [number('proc/sys/kernel/pid_max'), number('proc/sys/kernel/threads-max')];
      const running = Number(/\/(\d+)/.exec(text('proc/loadavg'))?.[1] ?? 0);
      return { most: Math.min(...limits.map((l) => l ?? PIDS_MAX)), running };
    },
    disk(path) {
      const s = statfsSync(path);
      return {
        capacityBytes: s.blocks * s.bsize,
        availableBytes: s.bavail * s.bsize,
        inodes: s.files,
        inodesFree: s.ffree,
      };
    },
    hugePages() {
      const dir = 'sys/kernel/mm/hugepages';
      let names: string[];
      try {
        names = readdirSync(join(root, dir));
      } catch {
        return []; // a kernel without them
      }
      return names.flatMap((name) => {
        const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
        const pages = number(`${dir}/${name}/nr_hugepages`) ?? 0;
        return kib === 0 ? [] : [{ size: sizeName(kib), pages, bytes: pages * kib * 1024 }];
      });
    },
  };
}

/** `name value` or `name: value kB` lines. */
function fields(text: string, unit = 1): Map<string, number> {
  const out = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^(\w[\w()]*):?\s+(\d+)/gm)) out.set(name ?? '', Number(value) * unit);
  return out;
}

/** File pages that the kernel can give back at once; they don't count as used. */
function inactiveFile(text: (path: string) => string, info: Map<string, number>): number {
  for (const [path, name] of [
    ['sys/fs/cgroup/memory/memory.stat', 'total_inactive_file'],
    ['sys/fs/cgroup/memory.stat', 'inactive_file'],
  ] as const) {
    try {
      const found = fields(text(path)).get(name);
      if (found !== undefined) return found;
    } catch {
      // the other version of cgroups
    }
  }
  return info.get('Inactive(file)') ?? 0;
}

function sizeName(kib: number): string {
  if (kib % (1024 * 1024) === 0) return `${kib / (1024 * 1024)}Gi`;
  return kib % 1024 === 0 ? `${kib / 1024}Mi` : `${kib}Ki`;
}
