import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import type { Steps } from '../meta/steps.ts';
import { writeDefinitions, writeHead, writePaths, writeTail } from './openapi-messages.ts';
import { BackBuffer } from './proto-buffer.ts';

/** The protobuf form of OpenAPI v2, as kube-apiserver names it; and its name of before, which is understood. */
export const OPENAPI_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
export const OPENAPI_OLD_TYPE = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

/** Paths of one step; each has some kilobytes of parameters. */
const PATHS_STEP = 4;
/** Definitions of one step. */
const DEFINITIONS_STEP = 12;
/** Field numbers of Document, with the wire type of messages. */
const PATHS_TAG = 8 * 8 + 2;
const DEFINITIONS_TAG = 9 * 8 + 2;

/**
 * The bytes of an OpenAPI v2 document, in steps: gnostic's openapi.v2.Document with its fields in order. Parts of documents (paths and definitions alone) give
 * bytes that may be put behind those of another document, which then has these too.
 */
export function* encodeOpenApi(document: JsonObject): Steps<Uint8Array> {
  const b = new BackBuffer();
  writeHead(b, document);
  const parts = [b.take()];
  yield* addMembers(parts, PATHS_TAG, document.paths, PATHS_STEP, writePaths);
  yield* addMembers(parts, DEFINITIONS_TAG, document.definitions, DEFINITIONS_STEP, writeDefinitions);
  b.reset();
  writeTail(b, document);
  parts.push(b.take());
  yield;
  return joined(parts);
}

/** A message that holds a large map, a few members at a time. */
function* addMembers(
  parts: Uint8Array[],
  tag: number,
  map: Json | undefined,
  step: number,
  write: (b: BackBuffer, members: JsonObject) => void,
): Steps<void> {
  if (!isObject(map)) return;
  const b = new BackBuffer();
  const at = parts.length;
  let size = 0;
  const names = Object.keys(map);
  for (let i = 0; i < names.length; i += step) {
    const members: JsonObject = {};
    for (const name of names.slice(i, i + step)) members[name] = map[name];
    b.reset();
    write(b, members);
    size += b.written;
    parts.push(b.take());
    yield;
  }
  b.reset();
  b.varint(size);
  b.varint(tag);
  parts.splice(at, 0, b.take());
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const p of parts) size += p.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
