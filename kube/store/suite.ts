import { describe, it } from 'node:test';
import { assumeCases } from './suite-assume.ts';
import { commitCases } from './suite-commit.ts';
import type { Case, Harness } from './suite-kit.ts';
import { pageCases } from './suite-pages.ts';
import { readCases } from './suite-read.ts';
import { versionCases } from './suite-versions.ts';
import { watchCases } from './suite-watch.ts';

export type { Harness } from './suite-kit.ts';

/** Every behaviour of the contract; a case runs on a fresh store. */
export const storeCases: readonly Case[] = [
  ...readCases,
  ...pageCases,
  ...commitCases,
  ...assumeCases,
  ...watchCases,
  ...versionCases,
];

/** Registers the shared suite for one implementation. Cases that move the clock are skipped where it can't be moved. */
export function storeSuite(name: string, make: () => Promise<Harness>): void {
  describe(name, () => {
    for (const c of storeCases) {
      it(c.name, async (t) => {
        const harness = await make();
        try {
          const { store, advance } = harness;
          if (!advance && c.clock) t.skip('this harness has no clock to move');
          else await c.run({ store, advance: advance ?? (async () => {}) });
        } finally {
          await harness.close?.();
        }
      });
    }
  });
}
