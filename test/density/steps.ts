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
   * Longest stretch of the thread between two looks at the network in each round, by the clock, but for collections of the whole heap. Never shorter than the longest
   * synchronous step.
   */
  stepMs: number[];
  /** Processor time of the same. */
  cpuMs: number[];
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
      longest.push(seen.longest);
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
      collectedMs,
      where: `${tenths(step.wallMs)}: ${where}`,
    });
  }
  return figures;
}

/** Runs something, and tells of the longest stretch meanwhile, and of the collections, which are no part of it. The server was started with `looks.server`. */
export function watch(
  s: Server,
  looks: Looks,
): (run: () => Promise<unknown>) => Promise<{ longest: Stretch; collectedMs: number[] }> {
  const collections = collectionsOf(join(s.home, 'server.log'));
  return async (run) => {
    await settle(looks);
    collections();
    await run();
    const collectedMs = collections();
    return { longest: longestOf(without(looks.taken(), collectedMs)), collectedMs };
  };
}

/** The pauses of full collections that V8 (--trace-gc) has told since the last call, in ms. */
function collectionsOf(log: string): () => number[] {
  let seen = 0;
  return () => {
    const all = [...readFileSync(log, 'utf8').matchAll(/Mark-Compact .*? MB, .*?([\d.]+) \/ /g)].map((m) =>
      Number(m[1]),
    );
    const fresh = all.slice(seen);
    seen = all.length;
    return fresh;
  };
}

/** Stretches without those that a collection is in: of those that took as long, the longest. */
function without(stretches: Stretch[], pauses: readonly number[]): Stretch[] {
  const left = stretches.toSorted((a, b) => b.wallMs - a.wallMs);
  for (const ms of pauses.toSorted((a, b) => b - a)) if ((left[0]?.wallMs ?? 0) >= ms) left.shift();
  return left;
}

const tenths = (ms: number) => Math.round(ms * 10) / 10;
const longestOf = (all: Stretch[]) =>
  all.reduce((a, b) => (b.wallMs > a.wallMs ? b : a), { beginUs: 0, wallMs: 0, cpuMs: 0 });

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
