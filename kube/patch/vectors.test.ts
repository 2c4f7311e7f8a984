import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from '../meta/object.ts';
import { StatusError } from '../meta/status.ts';
import type { Struct } from '../schema/schema.ts';
import { schemas } from '../schema/schemas.ts';
import { applyConflict, applyPatch } from './apply.ts';
import { applyVectors, jsonPatchVectors, mergePatchVectors, strategicVectors } from './generated/vectors.ts';
import { applyJsonPatch, PatchError } from './json-patch.ts';
import { updateManagedFields, withManagedFields } from './managed.ts';
import { applyMergePatch } from './merge-patch.ts';
import { shapeless, widget } from './sample-types.ts';
import { applyStrategicPatch } from './strategic.ts';
import { StrategicError } from './strategic-errors.ts';

// Inputs with the outputs of upstream's own code (tools/patch-vectors).

interface PatchVector {
  name: string;
  kind: string;
  doc: JsonObject;
  patch: Json;
  out?: Json;
  error?: string;
}

interface Step {
  op: 'create' | 'update' | 'patch' | 'apply';
  manager: string;
  subresource?: string;
  force?: boolean;
  object: JsonObject;
  out?: JsonObject;
  managed?: ManagedFieldsEntry[];
  error?: string;
  causes?: { reason: string; message: string; field: string }[];
}

interface ApplyVector {
  name: string;
  kind: string;
  reset?: Record<string, string[]>;
  steps: Step[];
}

const read = <T>(vectors: readonly string[]) => vectors.map((v) => JSON.parse(v) as T);

function structOf(kind: string): { struct: Struct; apiVersion: string; kind: string } {
  const parts = kind.split('/');
  const gvk = {
    group: parts.length === 3 ? (parts[0] ?? '') : '',
    version: parts.at(-2) ?? '',
    kind: parts.at(-1) ?? '',
  };
  const struct = gvk.kind === 'Widget' ? widget : gvk.kind === 'Shapeless' ? shapeless : schemas.kind(gvk);
  assert.ok(struct, kind);
  return { struct, apiVersion: apiVersionOf(gvk), kind: gvk.kind };
}

describe('a JSON patch ends as upstream ends it', () => {
  for (const v of read<PatchVector>(jsonPatchVectors)) {
    test(v.name, () => {
      const run = () => applyJsonPatch(v.doc, v.patch as JsonObject[]);
      if (v.error === undefined) assert.deepEqual(run(), v.out);
      else assert.throws(run, (e) => e instanceof PatchError && e.message === v.error);
    });
  }
});

describe('a merge patch ends as upstream ends it', () => {
  for (const v of read<PatchVector>(mergePatchVectors)) {
    test(v.name, () => {
      const run = () => applyMergePatch(v.doc, v.patch, false);
      if (v.error === undefined) assert.deepEqual(run(), v.out);
      else assert.throws(run, (e) => e instanceof StatusError && e.message === v.error && e.code === 400);
    });
  }
});

describe('a strategic merge patch ends as upstream ends it', () => {
  for (const v of read<PatchVector>(strategicVectors)) {
    test(`${v.kind}: ${v.name}`, () => {
      const doc = structuredClone(v.doc);
      const run = () => applyStrategicPatch(structOf(v.kind).struct, v.doc, v.patch as JsonObject);
      if (v.error === undefined) assert.deepEqual(run(), v.out ?? {});
      else assert.throws(run, (e) => e instanceof StrategicError && e.message === v.error);
      assert.deepEqual(v.doc, doc, 'the document is left alone');
    });
  }
});

describe('ownership and applies end as upstream ends them', () => {
  for (const v of read<ApplyVector>(applyVectors)) test(`${v.kind}: ${v.name}`, () => replay(v));
});

function replay(v: ApplyVector): void {
  let live: KubeObject | null = null;
  v.steps.forEach((step, i) => {
    const time = new Date(Date.UTC(2026, 0, 1, 0, i + 1)).toISOString().replace('.000', '');
    live = runStep(v, step, live, time, `step ${i + 1}`);
  });
}

function runStep(v: ApplyVector, step: Step, live: KubeObject | null, time: string, label: string): KubeObject | null {
  const { struct, apiVersion, kind } = structOf(v.kind);
  const resetFields = v.reset?.[step.subresource ?? '']?.map((path) => path.split('.'));
  const write = { struct, apiVersion, subresource: step.subresource ?? '', manager: step.manager, time, resetFields };
  if (step.op === 'apply') {
    const input = { ...write, kind, live, applied: step.object, force: step.force === true };
    return checkApply(step, live, () => applyPatch(input), label);
  }
  const next = nextObject(step, live);
  const managed = updateManagedFields({ ...write, live, next });
  // What upstream can't track is written with the live object's entries; our sequences go on without the write.
  if (step.error !== undefined) {
    assert.deepEqual(managed, live?.metadata.managedFields, `${label}: ${step.error}`);
    return live;
  }
  assert.deepEqual(managed, step.managed, `${label}: managedFields`);
  assert.equal(JSON.stringify(managed), JSON.stringify(step.managed && inOrder(step.managed)), `${label}: order`);
  return withUid(withManagedFields(next, managed));
}

/** Upstream's fieldsV1 comes in order; only the entries' own members don't. */
function inOrder(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const members = ['manager', 'operation', 'apiVersion', 'time', 'fieldsType', 'fieldsV1', 'subresource'];
  return entries.map((e) => {
    const out: ManagedFieldsEntry = {};
    for (const m of members) if (e[m] !== undefined) out[m] = e[m];
    return out;
  });
}

function checkApply(
  step: Step,
  live: KubeObject | null,
  run: () => ReturnType<typeof applyPatch>,
  label: string,
): KubeObject | null {
  let result: ReturnType<typeof applyPatch>;
  try {
    result = run();
  } catch (e) {
    assert.ok(e instanceof StatusError && step.error !== undefined, `${label}: ${e instanceof Error ? e.stack : e}`);
    assert.equal(e.message, step.error, label);
    return live;
  }
  if (result.object === null) {
    const error = applyConflict(result.conflicts);
    assert.equal(error.message, step.error, label);
    const causes = [...(error.status.details?.causes ?? [])].sort((a, b) =>
      a.message < b.message ? -1 : a.message > b.message ? 1 : 0,
    );
    assert.deepEqual(causes, step.causes ?? [], `${label}: causes`);
    return live;
  }
  assert.equal(undefined, step.error, label);
  const { managedFields, ...metadata } = result.object.metadata;
  assert.deepEqual(managedFields, step.managed, `${label}: managedFields`);
  assert.deepEqual(withUid({ ...result.object, metadata }), step.out, `${label}: object`);
  return withUid(result.object);
}

function withUid(o: KubeObject): KubeObject {
  return { ...o, metadata: { ...o.metadata, uid: 'u' } };
}

function nextObject(step: Step, live: KubeObject | null): KubeObject {
  const asked = (step.op === 'patch' ? applyMergePatch(live ?? {}, step.object, false) : step.object) as KubeObject;
  const metadata = { ...asked.metadata, ...(live === null ? {} : { uid: 'u' }) };
  if (step.op === 'patch' || metadata.managedFields === undefined) {
    if (live?.metadata.managedFields !== undefined) metadata.managedFields = live.metadata.managedFields;
  }
  return { ...asked, metadata };
}

test('vectors are what they claim to be', () => {
  for (const list of [jsonPatchVectors, mergePatchVectors, strategicVectors, applyVectors]) {
    assert.ok(read<JsonObject>(list).every((v) => isObject(v) && typeof v.name === 'string'));
  }
  assert.ok(strategicVectors.length >= 60 && jsonPatchVectors.length >= 30 && applyVectors.length >= 60);
});
