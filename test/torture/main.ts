/** Tortures a server, records what clients saw, and checks it. `npm run torture -- --help` tells more. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkHistory, type Findings } from './check.ts';
import { loadHistory, save } from './history.ts';
import { run } from './run.ts';

const USAGE = `usage: npm run torture -- [--seed N] [--ops 100000] [--kills 100] [--minutes 60] [--clients 24] [--clusters 2] [--keep FILE]
       npm run torture -- --check FILE

Clients work on real clusters (HTTPS, through a proxy that loses connections) while the server is killed, its clock jumps and its disk
gets full. What they saw is then checked: each object is linearizable, no revision is given twice or goes back, lists show what stood at
their revision, watches miss nothing. Everything is decided by --seed but the machine's own timing. As root the disk is a small file
system on a loop device; with a C compiler the clock moves while the server runs.

  --keep FILE    write the recorded history there also when all is well
  --check FILE   check a recorded history again`;

/** Findings shown; the history has the rest. */
const SHOWN = 20;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      ops: { type: 'string', default: '100000' },
      kills: { type: 'string', default: '100' },
      minutes: { type: 'string', default: '60' },
      clients: { type: 'string', default: '24' },
      clusters: { type: 'string', default: '2' },
      keep: { type: 'string' },
      check: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.check !== undefined) return report(checkHistory(loadHistory(values.check)));
  const seed = number('seed', values.seed ?? String(1 + (Date.now() % 1_000_000)));
  const dir = mkdtempSync(join(tmpdir(), 'coracle-torture-'));
  const begun = Date.now();
  const say = (text: string) => console.log(`${((Date.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  console.log(`seed ${seed}`);
  const result = await run({
    seed,
    ops: number('ops', values.ops),
    kills: number('kills', values.kills),
    minutes: number('minutes', values.minutes),
    clients: number('clients', values.clients),
    clusters: number('clusters', values.clusters),
    dir,
    say,
  });
  const { counts, done, findings } = result;
  if (values.keep !== undefined) save(values.keep, result.history);
  console.log(result.how);
  console.log(
    `${counts.done} operations with a known outcome (${(counts.done / result.seconds).toFixed(0)}/s), ${counts.unknown} unknown (${counts.full} on a full disk), ${counts.refused} refused; ` +
      `${done.kills} kills, ${done.stops} stops, ${result.drops} lost connections, ${done.jumps} clock jumps, ${done.spells} full disks (${done.felt} felt); ${result.seconds.toFixed(0)} s`,
  );
  const code = report({ ...findings, wrong: result.wrong });
  if (code === 0) {
    rmSync(dir, { recursive: true, force: true });
    return 0;
  }
  const file = join(dir, 'history.jsonl');
  save(file, result.history);
  console.log(`history: ${file}, log: ${join(dir, 'server.log')}`);
  console.log(`check it again: npm run torture -- --check ${file}`);
  console.error(`torture: seed ${seed}: ${result.wrong[0]}`);
  return 1;
}

function number(name: string, text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0) throw new Error(`--${name} takes a whole number, not ${text}`);
  return n;
}

function report(f: Findings): number {
  for (const text of f.wrong.slice(0, SHOWN)) console.log(`WRONG ${text}`);
  if (f.wrong.length > SHOWN) console.log(`and ${f.wrong.length - SHOWN} more`);
  console.log(
    `${f.operations} operations on ${f.keys} objects, ${f.events} revisions, ${f.lists} lists; ${f.unknown} outcomes unknown, ${f.settled} of them seen to have taken effect; ${f.expired} reads and watches of compacted history`,
  );
  console.log(f.wrong.length === 0 ? 'linearizable, nothing lost: 1 passed, 0 failed' : '0 passed, 1 failed');
  return f.wrong.length === 0 ? 0 : 1;
}

// What is to be undone is undone as the process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exit(
  await main().catch((e: unknown) => {
    console.error(`torture: ${e instanceof Error ? e.message : String(e)}`);
    return 1;
  }),
);
