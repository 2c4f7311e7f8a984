import { existsSync, readdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { MachineFacts } from './resources.ts';

const HUGE = '/sys/kernel/mm/hugepages';

/** `2MB` of `hugepages-2048kB`, as cgroups name it. */
function pageSize(directory: string): string {
  let kilobytes = Number(/(\d+)kB$/.exec(directory)?.[1] ?? 0);
  const units = ['KB', 'MB', 'GB'];
  while (kilobytes >= 1024 && units.length > 1) {
    kilobytes /= 1024;
    units.shift();
  }
  return `${kilobytes}${units[0]}`;
}

/** What containers' resources on this machine are made for. */
export const machineFacts = (): MachineFacts => ({
  memoryBytes: totalmem(),
  hugePages: existsSync(HUGE) ? readdirSync(HUGE).map(pageSize) : [],
  unified: existsSync('/sys/fs/cgroup/cgroup.controllers'),
});
