// Records what a real cluster answers: `npm run kubectl:record`. As root, with Go; runtime.sh's set-up must be free.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keep } from './kept.ts';
import { findKubectls } from './kubectls.ts';
import { PEER_KUBECONFIG, startPeer, stopPeer } from './peer.ts';
import { playAll } from './playall.ts';

const say = (line: string) => console.error(line);
/** A cluster that is there already, with one node and nothing else in it. */
const { values } = parseArgs({ options: { kubeconfig: { type: 'string' } } });

const kubectls = await findKubectls(say);
try {
  if (values.kubeconfig === undefined) await startPeer(say);
  for (const { kubectl, section, answers, tookMs } of await playAll(
    kubectls,
    values.kubeconfig ?? PEER_KUBECONFIG,
    () => true,
  )) {
    mkdirSync(join(import.meta.dirname, 'kept', kubectl.minor), { recursive: true });
    keep(kubectl.minor, section, answers);
    say(`kubectl ${kubectl.minor}: ${section.name}, ${answers.length} steps, ${Math.round(tookMs / 1000)} s`);
  }
} finally {
  if (values.kubeconfig === undefined) await stopPeer();
}
