import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kept } from './kept.ts';
import type { Kubectl } from './kubectls.ts';
import { play, type Target } from './play.ts';
import { sections } from './sections.ts';
import type { Section, Step } from './steps.ts';

const run = promisify(execFile);
/** Sections at once: they mostly wait. */
const AT_ONCE = 4;

/** A section's answers with one kubectl, as they are kept. */
export interface Answers {
  kubectl: Kubectl;
  section: Section;
  answers: string[];
  tookMs: number;
}

/** Plays sections with each kubectl on the cluster of a kubeconfig, which must have one node. `plays`: which sections and steps. */
export async function playAll(
  kubectls: readonly Kubectl[],
  kubeconfig: string,
  plays: (o: Section | Step, minor: string) => boolean,
): Promise<Answers[]> {
  const tmp = mkdtempSync(join(tmpdir(), 'kubectl-'));
  const first = kubectls[0]?.path ?? 'kubectl';
  const ask = async (...args: string[]) => (await run(first, ['--kubeconfig', kubeconfig, ...args])).stdout;
  const node = await ask('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
  const server = await ask('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}');
  const all = kubectls.flatMap((kubectl) =>
    sections.filter((s) => plays(s, kubectl.minor)).map((section) => ({ kubectl, section })),
  );
  const before = new Map<Section, Promise<unknown>>();
  const done: Answers[] = [];
  const one = async ({ kubectl, section }: (typeof all)[number]) => {
    const began = performance.now();
    const target: Target = { kubectl: kubectl.path, kubeconfig, node, server, tmp: join(tmp, kubectl.minor) };
    const answers: string[] = [];
    await play(
      section,
      section.steps.filter((step) => plays(step, kubectl.minor)),
      target,
      (step, p) => answers.push(kept(step, p)),
    );
    done.push({ kubectl, section, answers, tookMs: performance.now() - began });
  };
  try {
    const queue = all.filter((x) => !x.section.alone);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          // The same section with the other kubectl makes the same objects where they have no namespace.
          const mine = (before.get(next.section) ?? Promise.resolve()).then(one.bind(null, next));
          before.set(next.section, mine);
          await mine;
        }
      }),
    );
    for (const next of all.filter((x) => x.section.alone)) await one(next);
    return done;
  } finally {
    rmSync(tmp, { recursive: true, force: true });
  }
}
