import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** True where systemd is the machine's first process. */
export const hasSystemd = (): boolean => existsSync('/run/systemd/system');

/** Name of the unit of what is kept at `at`; each place but the `usual` one has one of its own. */
export const unitName = (base: string, at: string, usual: string): string =>
  at === usual ? `${base}.service` : `${base}-${createHash('sha256').update(at).digest('hex').slice(0, 8)}.service`;

/** Where the administrator's units are. */
export const unitPath = (name: string): string => join('/etc/systemd/system', name);
