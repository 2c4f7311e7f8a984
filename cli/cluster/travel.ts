import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../command.ts';
import { secondsOf } from '../duration.ts';
import { ask, call, type Endpoint } from '../endpoint.ts';
import { clusterPath } from '../tenancy.ts';

/** A restore as the tenancy API shows it. */
interface ClusterRestore {
  spec: { to: number };
  status: {
    phase: 'Running' | 'Completed';
    revisionBefore: number;
    revisionAfter?: number;
    objects: number;
    lostObjects: number;
    lost: string[];
  };
}

/** Between two looks at a restore under way. */
const LOOK_MS = 200;
/** A control plane that starts anew in the middle of one goes on with it; longer than that takes. */
const SILENT_MS_MAX = 60_000;

/** Brings a cluster back to a revision or time and tells what came of it. Throws CommandError. */
export async function restoreTo(e: Endpoint, name: string, to: string): Promise<void> {
  const path = `${clusterPath(name)}/restore`;
  const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'ClusterRestore', spec: { to: pastOf(to) } };
  let r = (await ask(e, 'POST', path, body)) as unknown as ClusterRestore;
  const { revisionBefore } = r.status;
  for (let silentMs = 0; r.status.phase === 'Running'; ) {
    await sleep(LOOK_MS);
    const answer = await call(e, 'GET', path).catch(() => undefined);
    if (answer?.code === 200) {
      r = answer.body as unknown as ClusterRestore;
      silentMs = 0;
      continue;
    }
    silentMs += LOOK_MS;
    if (silentMs >= SILENT_MS_MAX)
      throw new CommandError(
        `${e.url} doesn't answer; the restore goes on when it does, from revision ${revisionBefore}`,
      );
  }
  const { objects, lostObjects, lost, revisionAfter } = r.status;
  console.log(`cluster ${name} is as it was at revision ${r.spec.to}: ${objects} objects brought back or deleted`);
  console.log(`revision before: ${revisionBefore}`);
  console.log(`revision after:  ${revisionAfter}`);
  if (lostObjects > 0)
    console.log(
      `${lostObjects} Secrets were deleted too long ago to come back: ${lost.join(' ')}${lostObjects > lost.length ? ' ...' : ''}`,
    );
  if (revisionAfter !== revisionBefore)
    console.log(`undo with: coracle cluster restore ${name} --to ${revisionBefore}`);
}

/** `10m` is a time; all else is the server's to read. */
export function pastOf(to: string): string {
  if (!/^(\d+[smhd])+$/.test(to)) return to;
  return new Date(Date.now() - secondsOf(to) * 1_000).toISOString();
}
