import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CpuProfile } from './inspector.ts';
import type { Looks, Stretch } from './looks.ts';
import { operations } from './operations.ts';
import type { Cluster, Server } from './server.ts';

/** Of the CPU profile. */
const SAMPLE_US = 250;
/** Each operation is done so often; the first time includes what is compiled once. */
const ROUNDS = 3;
/** What went before, and the profiler's own beginning, is over then. */
const SETTLE_MS = 100;

export interface StepFigure {
  operation: string;
  /**
   * Processor time of the longest stretch of the thread between two looks at the network in each round, but for collections of the whole heap. Never shorter than the
   * longest synchronous step.
   */
  cpuMs: number[];
  /** Of it, the kernel's for writing to files. */
  diskMs: number[];
  /** The same by the clock. */
  stepMs: number[];
  /** Collections of the whole heap in these rounds, which the engine makes in one step. */
  collectedMs: number[];
  /** Of the longest one of a further, profiled round: what it was spent in. */
  where: string;
}

/** Every kind of heavy request, one at a time, with the longest that others wait for it. `c`: a cluster with 5,000 ConfigMaps of 10 KB in default. */
export async function measureSteps(s: Server, c: Cluster, looks: Looks, only = ''): Promise<StepFigure[]> {
  const figures: StepFigure[] = [];
  const watched = watch(s, looks);
  for (const [operation, run] of Object.entries(operations(s, c))) {
    if (!operation.includes(only)) continue;
    const longest: Stretch[] = [];
    const collectedMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const seen = await watched(() => run(round));
      longest.push(longestOf(seen.stretches));
      collectedMs.push(...seen.collectedMs.map(tenths));
    }
    const inspector = await s.inspect();
    await inspector.beginProfile(SAMPLE_US);
    await settle(looks);
    await run(ROUNDS);
    const step = longestOf(looks.taken());
    const where = spentIn(await inspector.endProfile(), step);
    inspector.close();
    figures.push({
      operation,
      stepMs: longest.map((l) => tenths(l.wallMs)),
      cpuMs: longest.map((l) => tenths(l.cpuMs)),
      diskMs: longest.map((l) => tenths(l.diskMs)),
      collectedMs,
      where: `${tenths(step.wallMs)}: ${where}`,
    });
  }
  return figures;
}

/** Runs something, and tells of the stretches meanwhile, and of the collections, which are no part of them. The server was started with `looks.server`. */
export function watch(
  s: Server,
  looks: Looks,
): (run: () => Promise<unknown>) => Promise<{ stretches: Stretch[]; collectedMs: number[] }> {
  const log = join(s.home, 'server.log');
  return async (run) => {
    await settle(looks);
    await run();
    const text = readFileSync(log);
    const seen = looks.taken().map((stretch) => ({ stretch, pauses: collectionsIn(text.subarray(...stretch.said)) }));
    return {
      stretches: seen.filter((s) => s.pauses.length === 0).map((s) => s.stretch),
      collectedMs: seen.flatMap((s) => s.pauses),
    };
  };
}

/** The pauses of full collections that V8 (--trace-gc) tells in a part of its log, in ms. */
const collectionsIn = (log: Buffer): number[] =>
  [...log.toString('latin1').matchAll(/Mark-Compact .*? MB, .*?([\d.]+) \/ /g)].map((m) => Number(m[1]));

const tenths = (ms: number) => Math.round(ms * 10) / 10;
/** By processor time. */
const longestOf = (all: Stretch[]) =>
  all.reduce((a, b) => (b.cpuMs > a.cpuMs ? b : a), { beginUs: 0, wallMs: 0, cpuMs: 0, diskMs: 0, said: [0, 0] });

async function settle(looks: Looks): Promise<void> {
  await new Promise((next) => setTimeout(next, SETTLE_MS));
  looks.taken();
}

/** The functions that most of a stretch was spent in, with milliseconds. */
function spentIn(profile: CpuProfile, stretch: Stretch): string {
  const names = new Map(profile.nodes.map((n) => [n.id, n.callFrame.functionName]));
  const by = new Map<string, number>();
  let at = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    at += profile.timeDeltas[i] ?? 0;
    if (at < stretch.beginUs || at > stretch.beginUs + stretch.wallMs * 1000) continue;
    const name = names.get(id) || '(anonymous)';
    by.set(name, (by.get(name) ?? 0) + (profile.timeDeltas[i + 1] ?? 0));
  }
  const top = [...by].sort((a, b) => b[1] - a[1]).slice(0, 6);
  return top.map(([name, us]) => `${name} ${tenths(us / 1000)}`).join(', ');
}
