import { equalJson, isObject, type Json, type JsonObject } from '../meta/json.ts';
import { badRequest, failure, type StatusError, tooLarge } from '../meta/status.ts';
import { put } from './typed-view.ts';

// RFC 6902 as kube-apiserver applies it: evanphx/json-patch v4.13.0 with its departures from the RFC (replace adds a missing key, add
// without a value sets null, negative indices count from the end).

/** Operations in one patch: apiserver pkg/endpoints/handlers/patch.go. */
const OPERATIONS_MAX = 10_000;
/** Bytes that all copies of one patch may add: apiserver's JSONPatchMaxCopyBytes, twice the largest request of etcd. */
const COPY_BYTES_MAX = 3 * 1024 * 1024;

/** Why an operation doesn't apply, in the library's words. Users see only the 422 below; logs and tests see this. */
export class PatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PatchError';
  }
}

/** A decoded patch. */
export type JsonPatch = readonly JsonObject[];

/**
 * Checks the form of a patch: 400 when it isn't a list of operations, 413 when it has too many. `strict`: the request asked for field
 * validation Warn or Strict (the default is Warn), which reads the patch more closely and words its errors differently.
 */
export function decodeJsonPatch(patch: Json, strict: boolean): JsonPatch {
  const into = strict ? '[]handlers.jsonPatchOp' : 'jsonpatch.Patch';
  const item = strict ? 'handlers.jsonPatchOp' : 'jsonpatch.Operation';
  const prefix = strict ? 'error decoding patch: ' : '';
  if (patch === null) return [];
  if (!Array.isArray(patch))
    throw badRequest(`${prefix}json: cannot unmarshal ${kindOf(patch)} into Go value of type ${into}`);
  for (const op of patch) {
    if (op === null || isObject(op)) continue;
    throw badRequest(`${prefix}json: cannot unmarshal ${kindOf(op)} into Go value of type ${item}`);
  }
  if (strict) checkMembers(patch as JsonObject[], prefix);
  if (patch.length > OPERATIONS_MAX) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`);
  }
  return patch.map((op) => op ?? {}) as JsonObject[];
}

function checkMembers(patch: readonly (JsonObject | null)[], prefix: string): void {
  for (const op of patch) {
    for (const name of ['op', 'path', 'from']) {
      const v = op?.[name];
      if (v === undefined || v === null || typeof v === 'string') continue;
      throw badRequest(
        `${prefix}json: cannot unmarshal ${kindOf(v)} into Go struct field jsonPatchOp.${name} of type string`,
      );
    }
  }
}

const MEMBERS = new Set(['op', 'path', 'from', 'value']);

/** Unknown members of operations, as strict field validation reports them: `json patch unknown field "[0].foo"`. */
export function unknownPatchFields(patch: JsonPatch): string[] {
  const out: string[] = [];
  patch.forEach((op, i) => {
    for (const k of Object.keys(op)) if (!MEMBERS.has(k)) out.push(`json patch unknown field "[${i}].${k}"`);
  });
  return out;
}

/** Go's name of a JSON value's kind. */
function kindOf(v: Json): string {
  if (Array.isArray(v)) return 'array';
  if (isObject(v)) return 'object';
  return typeof v === 'boolean' ? 'bool' : typeof v === 'string' ? 'string' : 'number';
}

/** 422 of a patch that doesn't apply. The server keeps the reason to itself, as upstream does. */
export function unprocessablePatch(): StatusError {
  return failure('Invalid', 'the server rejected our request due to an error in our request', {});
}

/**
 * The document with the operations done. The document isn't changed; what wasn't touched is shared with the result. Throws a PatchError
 * when an operation doesn't apply.
 */
export function applyJsonPatch(document: Json, patch: JsonPatch): Json {
  const run: Run = { root: document, own: new Set(), copied: 0 };
  for (const op of patch) {
    const kind = typeof op.op === 'string' ? op.op : 'unknown';
    const step = Object.hasOwn(STEPS, kind) ? STEPS[kind] : undefined;
    if (step === undefined) throw new PatchError(`Unexpected kind: ${kind}`);
    step(run, op);
  }
  return run.root;
}

type Container = JsonObject | Json[];
interface Run {
  root: Json;
  /** Containers made by this run, which may be changed in place. */
  own: Set<Container>;
  copied: number;
}

const STEPS: Record<string, (run: Run, op: JsonObject) => void> = { add, remove, replace, move, test, copy };

const MISSING = 'missing value';
const BAD_INDEX = 'invalid index referenced';

function pathOf(op: JsonObject, wrap: (why: string) => string): string {
  return textOf(op, 'path', () => wrap(`operation missing path field: ${MISSING}`));
}
function fromOf(op: JsonObject, what: string): string {
  return textOf(op, 'from', () => `${what} operation failed to decode from: operation, missing from field: ${MISSING}`);
}
function textOf(op: JsonObject, name: string, missing: () => string): string {
  const v = op[name];
  if (typeof v === 'string') return v;
  if (v === undefined || v === null) throw new PatchError(missing());
  throw new PatchError(`json: cannot unmarshal ${kindOf(v)} into Go value of type string`);
}

function operand(op: JsonObject): Json {
  return op.value ?? null;
}

/** The container of a pointer's last step, and that step; null when something before it is missing. */
function find(run: Run, pointer: string, write: boolean): { at: Container; key: string } | null {
  const steps = pointer.split('/');
  if (steps.length < 2) return null;
  let at = container(run.root);
  if (at === null) return null;
  if (write) {
    at = owned(run, at);
    run.root = at;
  }
  for (let i = 1; i < steps.length - 1; i++) {
    const key = decodeStep(steps[i] as string);
    const next = container(peek(at, key));
    if (next === null) return null;
    const mine: Container = write ? owned(run, next) : next;
    if (mine !== next) setIn(at, key, mine);
    at = mine;
  }
  return { at, key: decodeStep(steps.at(-1) as string) };
}

function container(v: Json | undefined): Container | null {
  return typeof v === 'object' && v !== null ? v : null;
}

function owned(run: Run, c: Container): Container {
  if (run.own.has(c)) return c;
  const mine = Array.isArray(c) ? [...c] : { ...c };
  run.own.add(mine);
  return mine;
}

/** RFC 6901: `~1` is a slash, `~0` a tilde. */
function decodeStep(step: string): string {
  return step.includes('~') ? step.replace(/~[01]/g, (t) => (t === '~1' ? '/' : '~')) : step;
}

/** strconv.Atoi. */
function indexOf(key: string): number {
  if (!/^[+-]?\d+$/.test(key)) throw new PatchError(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  return Number(key);
}

function badIndex(i: number): PatchError {
  return new PatchError(`Unable to access invalid index: ${i}: ${BAD_INDEX}`);
}

/** The index counted from the start. Throws when it isn't below `size`. */
function inRange(key: string, size: number): number {
  const i = indexOf(key);
  if (i >= size || i < -size) throw badIndex(i);
  return i < 0 ? i + size : i;
}

function peek(c: Container, key: string): Json | undefined {
  if (!Array.isArray(c)) return Object.hasOwn(c, key) ? c[key] : undefined;
  if (!/^[+-]?\d+$/.test(key)) return undefined;
  const i = Number(key);
  return c[i < 0 ? i + c.length : i];
}

/** Throws for a bad index; undefined for a missing key. */
function getIn(c: Container, key: string): Json | undefined {
  return Array.isArray(c) ? c[inRange(key, c.length)] : peek(c, key);
}

function setIn(c: Container, key: string, v: Json): void {
  if (Array.isArray(c)) c[inRange(key, c.length)] = v;
  else put(c, key, v);
}

function addIn(c: Container, key: string, v: Json): void {
  if (!Array.isArray(c)) {
    put(c, key, v);
    return;
  }
  if (key === '-') {
    c.push(v);
    return;
  }
  if (!/^[+-]?\d+$/.test(key)) {
    throw new PatchError(
      `value was not a proper array index: '${key}': strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`,
    );
  }
  c.splice(inRange(key, c.length + 1), 0, v);
}

function removeIn(c: Container, key: string): void {
  if (Array.isArray(c)) {
    c.splice(inRange(key, c.length), 1);
    return;
  }
  if (!Object.hasOwn(c, key) || c[key] === undefined) {
    throw new PatchError(`Unable to remove nonexistent key: ${key}: ${MISSING}`);
  }
  delete c[key];
}

/** Runs `f`; an error gets upstream's words before it. */
function wrapping<T>(before: string, f: () => T): T {
  try {
    return f();
  } catch (e) {
    if (e instanceof PatchError) throw new PatchError(`${before}: ${e.message}`);
    throw e;
  }
}

function add(run: Run, op: JsonObject): void {
  const path = pathOf(op, () => `add operation failed to decode path: ${MISSING}`);
  const place = find(run, path, true);
  if (place === null) throw new PatchError(`add operation does not apply: doc is missing path: "${path}": ${MISSING}`);
  wrapping(`error in add for path: '${path}'`, () => addIn(place.at, place.key, operand(op)));
}

function remove(run: Run, op: JsonObject): void {
  const path = pathOf(op, () => `remove operation failed to decode path: ${MISSING}`);
  const place = find(run, path, true);
  if (place === null) {
    throw new PatchError(`remove operation does not apply: doc is missing path: "${path}": ${MISSING}`);
  }
  wrapping(`error in remove for path: '${path}'`, () => removeIn(place.at, place.key));
}

function replace(run: Run, op: JsonObject): void {
  const path = pathOf(op, (why) => `replace operation failed to decode path: ${why}`);
  if (path === '') {
    const whole = container(operand(op));
    if (whole === null) throw new PatchError('replace operation value must be object or array: %!w(<nil>)');
    run.root = whole;
    return;
  }
  const place = find(run, path, true);
  if (place === null)
    throw new PatchError(`replace operation does not apply: doc is missing path: ${path}: ${MISSING}`);
  try {
    getIn(place.at, place.key);
  } catch (e) {
    if (!(e instanceof PatchError)) throw e;
    throw new PatchError(`replace operation does not apply: doc is missing key: ${path}: ${MISSING}`);
  }
  setIn(place.at, place.key, operand(op));
}

function move(run: Run, op: JsonObject): void {
  const from = fromOf(op, 'move');
  const source = find(run, from, true);
  if (source === null)
    throw new PatchError(`move operation does not apply: doc is missing from path: ${from}: ${MISSING}`);
  const value = wrapping(`error in move for path: '${source.key}'`, () => {
    const v = getIn(source.at, source.key);
    removeIn(source.at, source.key);
    return v;
  });
  const path = pathOf(op, (why) => `move operation failed to decode path: ${why}`);
  const place = find(run, path, true);
  if (place === null) {
    throw new PatchError(`move operation does not apply: doc is missing destination path: ${path}: ${MISSING}`);
  }
  wrapping(`error in move for path: '${path}'`, () => addIn(place.at, place.key, value ?? null));
}

function test(run: Run, op: JsonObject): void {
  const path = pathOf(op, (why) => `test operation failed to decode path: ${why}`);
  const failed = () => new PatchError(`testing value ${path} failed: test failed`);
  if (path === '') {
    if (!equalJson(run.root, operand(op))) throw failed();
    return;
  }
  const place = find(run, path, false);
  if (place === null) throw new PatchError(`test operation does not apply: is missing path: ${path}: ${MISSING}`);
  const found = wrapping(`error in test for path: '${path}'`, () => getIn(place.at, place.key));
  if (!equalJson(found ?? null, operand(op))) throw failed();
}

function copy(run: Run, op: JsonObject): void {
  const from = fromOf(op, 'copy');
  const source = find(run, from, false);
  if (source === null)
    throw new PatchError(`copy operation does not apply: doc is missing from path: ${from}: ${MISSING}`);
  const value = wrapping(`error in copy for from: '${from}'`, () => getIn(source.at, source.key)) ?? null;
  // From here on two places show the same value, so neither may be changed in place.
  disown(run, value);
  const path = pathOf(op, () => `copy operation failed to decode path: ${MISSING}`);
  const place = find(run, path, true);
  if (place === null) {
    throw new PatchError(`copy operation does not apply: doc is missing destination path: ${path}: ${MISSING}`);
  }
  run.copied += value === null ? 0 : sizeOf(value);
  if (run.copied > COPY_BYTES_MAX) {
    throw new PatchError(
      `Unable to complete the copy, the accumulated size increase of copy is ${run.copied}, exceeding the limit ${COPY_BYTES_MAX}`,
    );
  }
  wrapping('error while adding value during copy', () => addIn(place.at, place.key, value));
}

function disown(run: Run, v: Json): void {
  const c = container(v);
  if (c === null || !run.own.delete(c)) return;
  for (const below of Object.values(c)) if (below !== undefined) disown(run, below);
}

/** Bytes of the value as JSON. */
function sizeOf(v: Json): number {
  if (typeof v === 'string') return new TextEncoder().encode(JSON.stringify(v)).length;
  if (Array.isArray(v)) return v.reduce<number>((n, item) => n + sizeOf(item) + 1, v.length === 0 ? 2 : 1);
  if (!isObject(v)) return String(v).length;
  let n = 1;
  for (const k of Object.keys(v)) if (v[k] !== undefined) n += sizeOf(k) + 2 + sizeOf(v[k] as Json);
  return n === 1 ? 2 : n;
}
