import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JSON_TYPE } from '../../kube/codec/negotiate.ts';
import { encodeOpenApi, OPENAPI_TYPE } from '../../kube/codec/openapi.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { finish } from '../../kube/meta/steps.ts';
import { suites } from './cases/index.ts';
import { fetchOpenApi, summaryOf } from './openapi.ts';
import { startPeer } from './peer.ts';
import { runCase } from './play.ts';

// Runs all cases on a real kube-apiserver, started empty for this, and keeps what it answered: node test/api/record.ts [SUITE...]

const recorded = join(import.meta.dirname, 'recorded');
const only = process.argv.slice(2);
/** Groups are added to the document within a second or two of the start. */
const SETTLE_MS = 2000;
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
if (only.length === 0 || only.includes('openapi')) await recordOpenApi();
await peer.stop();
console.log(`${total} cases recorded`);

/** What its OpenAPI document says; and that our encoder makes its very bytes of its JSON. */
async function recordOpenApi(): Promise<void> {
  const [text, bytes] = await settledOpenApi();
  const document = JSON.parse(text) as JsonObject;
  if (!bytes.equals(finish(encodeOpenApi(document)))) throw new Error('our encoder makes other bytes of its document');
  writeFileSync(join(recorded, 'openapi-v2.json'), `${JSON.stringify(summaryOf(document), undefined, 1)}\n`);
}
/** Both forms of the same document: a server that has just started still adds to it. */
async function settledOpenApi(): Promise<[text: string, bytes: Buffer]> {
  for (let before = ''; ; ) {
    const text = (await fetchOpenApi(peer.target, JSON_TYPE)).toString();
    const bytes = await fetchOpenApi(peer.target, OPENAPI_TYPE);
    if (text === before) return [text, bytes];
    before = text;
    await sleep(SETTLE_MS);
  }
}
