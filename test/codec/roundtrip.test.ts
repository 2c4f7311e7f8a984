import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseJson, printJson } from '../../kube/codec/json.ts';
import { decodeEnvelope, decodeProto, encodeObject, transcodeObject } from '../../kube/codec/protobuf.ts';
import { parseYaml, printYaml } from '../../kube/codec/yaml.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { parseApiVersion } from '../../kube/meta/object.ts';
import type { Struct } from '../../kube/schema/schema.ts';
import { schemas } from '../../kube/schema/schemas.ts';

// Kubernetes' own golden files: every kind, every field set, in JSON, YAML and protobuf.

/** Older served kinds than this would mean that the schema lost some. */
const KINDS_MIN = 125;

function goldenFiles(): string | null {
  const tools = join(dirname(fileURLToPath(import.meta.url)), '../../tools/proto-vectors');
  const env = { ...process.env, GOPROXY: 'off' };
  const go = spawnSync('go', ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/api'], { cwd: tools, env, encoding: 'utf8' });
  const dir = join(go.stdout?.trim() || '/nonexistent', 'testdata/HEAD');
  return existsSync(dir) ? dir : null;
}

const dir = goldenFiles();
const skip = dir === null ? 'the Go module k8s.io/api is not in the module cache' : false;

interface Golden {
  name: string;
  object: JsonObject;
  struct: Struct | undefined;
}

function* golden(): Generator<Golden> {
  for (const file of readdirSync(dir ?? '.')) {
    if (!file.endsWith('.json')) continue;
    const name = file.slice(0, -'.json'.length);
    const object = parseJson(read(`${name}.json`)) as JsonObject;
    const gv = parseApiVersion(String(object.apiVersion ?? ''));
    yield { name, object, struct: gv ? schemas.kind({ ...gv, kind: String(object.kind) }) : undefined };
  }
}
const read = (file: string) => readFileSync(join(dir ?? '', file), 'utf8');

test('every golden object of a served kind is the same in protobuf, both ways', { skip }, () => {
  let kinds = 0;
  for (const { name, object, struct } of golden()) {
    if (struct === undefined || struct.numbers.size === 0) continue;
    kinds++;
    const bytes = new Uint8Array(readFileSync(join(dir ?? '', `${name}.pb`)));
    const e = decodeEnvelope(bytes);
    const decoded = { kind: e.kind, apiVersion: e.apiVersion, ...decodeProto(struct, e.raw) };
    assert.deepEqual(decoded, object, name);
    assert.ok(Buffer.from(encodeObject(struct, object)).equals(bytes), `${name}: bytes differ`);
    const direct = transcodeObject(struct, printJson(object), e.apiVersion, e.kind);
    assert.ok(Buffer.from(direct).equals(bytes), `${name}: bytes differ when made from text`);
  }
  assert.ok(kinds >= KINDS_MIN, `${kinds} kinds`);
});

test('every golden object is the same in YAML, both ways', { skip }, () => {
  for (const { name, object } of golden()) {
    const text = read(`${name}.yaml`);
    assert.deepEqual(parseYaml(text), { value: object, duplicates: '' }, name);
    assert.equal(printYaml(object), text, name);
  }
});
