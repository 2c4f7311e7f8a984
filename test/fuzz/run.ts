import { parseArgs } from 'node:util';
import type { JsonObject } from '../../kube/meta/json.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { allowed } from '../api/allowed.ts';
import type { Answer, Step } from '../api/case.ts';
import { differences } from '../api/diff.ts';
import { startPeer } from '../api/peer.ts';
import { runCase, type Target } from '../api/play.ts';
import { serveTokens } from '../api/serve.ts';
import { generate, mutate } from './generate.ts';
import { seeded } from './random.ts';
import { shrink } from './shrink.ts';

const HELP = `Sends the same bodies to kube-apiserver and to our server, and shows the smallest body of each difference.

  npm run fuzz -- [--kind Pod|Deployment|Service|ConfigMap] [--count 100] [--seed 1] [--shrink 60]
                  [--peer URL --peer-token T] [--ours URL --our-token T]

Both servers are started here, on free ports, unless their URLs are given; kube-apiserver and etcd-peer are looked for in
$WORK/bin (by default ~/.cache/conformance/bin). A seed gives the same bodies each time. --shrink: attempts to make a body
smaller. The exit code is 1 when there is a difference.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    kind: { type: 'string', default: 'Pod' },
    peer: { type: 'string' },
    ours: { type: 'string' },
    'peer-token': { type: 'string', default: 'peertoken' },
    'our-token': { type: 'string', default: 'peertoken' },
    shrink: { type: 'string', default: '60' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const KINDS: Readonly<Record<string, { group: string; version: string; plural: string; density: number }>> = {
  Pod: { group: '', version: 'v1', plural: 'pods', density: 0.12 },
  Service: { group: '', version: 'v1', plural: 'services', density: 0.25 },
  ConfigMap: { group: '', version: 'v1', plural: 'configmaps', density: 0.5 },
  Deployment: { group: 'apps', version: 'v1', plural: 'deployments', density: 0.12 },
};
/** Of five bodies one is applied instead of created, one sent strictly, one updates what exists. */
const MODES = ['create', 'create', 'strict', 'apply', 'update'] as const;
type Mode = (typeof MODES)[number];

const name = values.kind;
const kind = KINDS[name];
const struct = kind && schemas.kind({ ...kind, kind: name });
if (!kind || !struct) throw new Error(`--kind is one of ${Object.keys(KINDS).join(', ')}`);
const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
const path = `${kind.group === '' ? '/api' : '/apis'}/${apiVersion}/namespaces/{ns}/${kind.plural}`;
const ownPeer = values.peer === undefined ? await startPeer() : undefined;
const own = values.ours === undefined ? await serveTokens() : undefined;
const peer: Target = ownPeer?.target ?? { url: values.peer ?? '', tokens: { admin: values['peer-token'] } };
const ours: Target = own?.target ?? { url: values.ours ?? '', tokens: { admin: values['our-token'] } };
/** What an update starts from. */
const BASE: Readonly<Record<string, JsonObject>> = {
  Pod: {
    metadata: { name: 'f' },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'a', image: 'i:1' }] },
  },
  Service: { metadata: { name: 'f' }, spec: { ports: [{ port: 80 }] } },
  ConfigMap: { metadata: { name: 'f' }, data: { a: '1' } },
  Deployment: {
    metadata: { name: 'f' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'i:1' }] } },
    },
  },
};

/** Differences that are known, by what only upstream's answer says, with their reason. */
const EXPLAINED: readonly { why: string; says: RegExp }[] = [
  {
    why: 'An empty list in a body is nothing to us; Go still sees it where there may not even be an empty one.',
    says: /cannot be set for an Ephemeral Container|claims may not be set for Resources at pod-level/,
  },
  {
    why: "Upstream's dry run draws node ports past the range, and one twice, and then refuses what it drew.",
    says: /Duplicate value: 327(6[89]|[7-9]\d)/,
  },
];

const countOf = (text: string, what: RegExp) => text.split(what).length - 1;

function steps(mode: Mode, body: JsonObject): Step[] {
  const json = { 'content-type': 'application/json' };
  if (mode === 'apply') {
    return [
      {
        method: 'PATCH',
        path: `${path}/f?fieldManager=fuzz&dryRun=All`,
        body,
        headers: { 'content-type': 'application/apply-patch+yaml' },
      },
    ];
  }
  if (mode === 'update') {
    return [
      { method: 'POST', path, body: { apiVersion, kind: name, ...BASE[name] }, headers: json },
      { method: 'PUT', path: `${path}/f?dryRun=All`, body, headers: json },
    ];
  }
  const strict = mode === 'strict' ? '&fieldValidation=Strict' : '';
  return [{ method: 'POST', path: `${path}?dryRun=All${strict}`, body, headers: json }];
}
let runs = 0;
/** The answers that were compared last, as text. */
let [lastTheirs, lastOurs] = ['', ''];
async function compare(mode: Mode, body: JsonObject): Promise<string[]> {
  const c = { name: 'fuzz', steps: steps(mode, body) };
  const ns = `fuzz-${process.pid}-${runs++}`;
  const [theirs, mine] = await Promise.all([runCase(peer, c, ns), runCase(ours, c, ns)]);
  [lastTheirs, lastOurs] = [JSON.stringify(theirs), JSON.stringify(mine)];
  return theirs.flatMap((a, i) => {
    const o = mine[i] as Answer;
    return a.status === 0 ? [] : differences(allowed(a), allowed(o), 3);
  });
}

const seed = Number(values.seed);
let [found, unstable, explained] = [0, 0, 0];
const shapes = new Map<string, number>();
for (let i = 0; i < Number(values.count); i++) {
  const r = seeded(seed * 1_000_003 + i);
  const body: JsonObject = { apiVersion, kind: name, ...generate(r, struct, kind.density) };
  body.metadata = { ...(body.metadata as JsonObject | undefined), name: 'f' };
  if (name === 'Pod' && body.spec) (body.spec as JsonObject).automountServiceAccountToken = false;
  for (let n = r.below(3); n > 0; n--) mutate(r, body);
  const mode = r.pick(MODES);
  const first = await compare(mode, body);
  if (first.length === 0) continue;
  // Upstream's own answers vary where Go reads maps in random order (several warnings).
  if ((await compare(mode, body)).length === 0) {
    unstable++;
    continue;
  }
  if (EXPLAINED.some((e) => countOf(lastTheirs, e.says) > countOf(lastOurs, e.says))) {
    explained++;
    continue;
  }
  found++;
  // One difference of a shape is shown; the rest is counted.
  const shape = (first[0] ?? '').replace(/\d+/g, 'N').split(':')[0] ?? '';
  shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
  if ((shapes.get(shape) ?? 0) > 2) continue;
  const small = await shrink(body, async (b) => (await compare(mode, b)).length > 0, Number(values.shrink));
  console.log(`seed ${seed} #${i} ${mode}: ${JSON.stringify(small)}`);
  for (const d of await compare(mode, small)) console.log(`    ${d}`);
}
console.log(`${values.count} bodies, ${found} differences, ${explained} explained, ${unstable} not repeated`);
await ownPeer?.stop();
own?.close();
process.exit(found > 0 ? 1 : 0);
