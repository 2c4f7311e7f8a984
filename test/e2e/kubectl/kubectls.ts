import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findKubectl } from '../system.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../..');
/** The scripts that build Kubernetes' programs and bring machines: ../shared. */
export const SHARED = process.env.CORACLE_SHARED ?? join(root, '../shared');
/** What they build and keep. */
export const WORK = process.env.WORK ?? join(homedir(), '.cache/conformance');

/** A kubectl, and the minor that its kept answers are for. */
export interface Kubectl {
  minor: string;
  path: string;
}

/** The oldest kubectl that is promised, as a release that the scripts can build. */
const OLD = { minor: '1.32', release: '1.32.13' };
export const NEW = '1.37';

/** kubectl of both minors, the newest first; those that are neither here nor can be built are left out, and `say` is told. */
export async function findKubectls(say: (line: string) => void): Promise<Kubectl[]> {
  const newest = await findKubectl();
  const oldest = await findOld(say);
  return [
    ...(newest === null ? [] : [{ minor: NEW, path: newest }]),
    ...(oldest === null ? [] : [{ minor: OLD.minor, path: oldest }]),
  ];
}

async function findOld(say: (line: string) => void): Promise<string | null> {
  const work = `${WORK}-${OLD.minor}`;
  const path = join(work, 'bin/kubectl');
  if (existsSync(path)) return path;
  const script = join(SHARED, 'conformance/build.sh');
  try {
    await run('go', ['version']);
    if (!existsSync(script)) throw new Error(`no ${script}`);
    say(`building kubectl ${OLD.release} (once, some minutes)`);
    await run(script, ['kubectl'], { env: { ...process.env, KUBE: OLD.release, WORK: work }, maxBuffer: 1 << 26 });
    return path;
  } catch (e) {
    say(`kubectl ${OLD.minor} isn't tried: ${e instanceof Error ? e.message.split('\n')[0] : String(e)}`);
    return null;
  }
}
