/**
 * Random objects of every kind, written by Kubernetes' own code, through our protobuf codec: `node test/codec/fuzz.ts [SEED] [EACH]`.
 * Needs Go and its module cache.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bytesOfBase64 } from '../../kube/codec/base64.ts';
import { parseJson, printJson } from '../../kube/codec/json.ts';
import { decodeEnvelope, decodeProto, encodeProto, transcodeProto } from '../../kube/codec/protobuf.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { parseApiVersion } from '../../kube/meta/object.ts';
import { schemas } from '../../kube/schema/schemas.ts';

const [seed = '7', each = '4'] = process.argv.slice(2);
const tools = join(dirname(fileURLToPath(import.meta.url)), '../../tools/proto-vectors');
const go = spawn('go', ['run', './fuzz', '-seed', seed, '-each', each], {
  cwd: tools,
  env: { ...process.env, GOPROXY: 'off' },
  stdio: ['ignore', 'pipe', 'inherit'],
});

const counts = { checked: 0, foreign: 0, failed: 0 };
for await (const line of createInterface({ input: go.stdout })) {
  const v = JSON.parse(line) as { name: string; json: string; proto: string };
  const why = check(v);
  if (why === 'foreign') counts.foreign++;
  else counts.checked++;
  if (why !== '' && why !== 'foreign') {
    counts.failed++;
    console.log(`FAILED ${v.name}: ${why}`);
  }
}
console.log(
  `seed ${seed}: ${counts.checked} objects, ${counts.failed} failed, ${counts.foreign} of kinds that are not served`,
);
process.exit(counts.failed === 0 && counts.checked > 0 ? 0 : 1);

/** '' when all is well. */
function check(v: { json: string; proto: string }): string {
  const object = parseJson(v.json) as JsonObject;
  const gv = parseApiVersion(String(object.apiVersion));
  const struct = gv ? schemas.kind({ ...gv, kind: String(object.kind) }) : undefined;
  if (struct === undefined) return 'foreign';
  const bytes = bytesOfBase64(v.proto);
  if (typeof bytes === 'number') return 'bad base64';
  const raw = decodeEnvelope(bytes).raw;
  const decoded = decodeProto(struct, raw);
  const want = withoutNulls(object) as JsonObject;
  const { kind: _k, apiVersion: _a, ...body } = want;
  if (!equalJson(asPrinted(decoded, body), body)) return 'decoded to another object';
  const again = encodeProto(struct, decoded);
  if (!Buffer.from(again).equals(raw)) return 'encoded to other bytes';
  const direct = transcodeProto(struct, printJson(decoded));
  return Buffer.from(direct).equals(again) ? '' : 'transcoded to other bytes';
}

function withoutNulls(v: Json | undefined): Json | undefined {
  if (Array.isArray(v)) return v.map((x) => withoutNulls(x) ?? null);
  if (typeof v !== 'object' || v === null) return v;
  const out: JsonObject = {};
  for (const [k, x] of Object.entries(v)) if (x !== null) out[k] = withoutNulls(x);
  return out;
}

/** Zero scalars that Go's JSON leaves out are left out; entries that Go prints as null, too. */
function asPrinted(v: Json | undefined, want: Json | undefined): Json | undefined {
  if (Array.isArray(v)) return v.map((x, i) => asPrinted(x, Array.isArray(want) ? want[i] : undefined) ?? null);
  if (typeof v !== 'object' || v === null) return v;
  const w = (typeof want === 'object' && want !== null && !Array.isArray(want) ? want : {}) as JsonObject;
  const out: JsonObject = {};
  for (const [k, x] of Object.entries(v)) {
    const unset = w[k] === undefined && (x === '' || x === 0 || x === false || x === null);
    if (!unset) out[k] = asPrinted(x, w[k]);
  }
  return out;
}
