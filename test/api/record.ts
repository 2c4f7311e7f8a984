import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suites } from './cases/index.ts';
import { startPeer } from './peer.ts';
import { runCase } from './play.ts';

// Runs all cases on a real kube-apiserver, started empty for this, and keeps what it answered: node test/api/record.ts [SUITE...]

const recorded = join(import.meta.dirname, 'recorded');
const only = process.argv.slice(2);
const peer = await startPeer();
mkdirSync(recorded, { recursive: true });
let total = 0;
for (const [suite, cases] of Object.entries(suites)) {
  if (only.length > 0 && !only.includes(suite)) continue;
  const out: Record<string, unknown> = {};
  for (const [i, c] of cases.entries()) {
    total++;
    out[c.name] = await runCase(peer.target, c, `${suite}-${i}-${process.pid}`);
  }
  const lines = Object.entries(out).map(([name, v]) => `${JSON.stringify(name)}:${JSON.stringify(v)}`);
  writeFileSync(join(recorded, `${suite}.json`), `{\n${lines.join(',\n')}\n}\n`);
}
await peer.stop();
console.log(`${total} cases recorded`);
