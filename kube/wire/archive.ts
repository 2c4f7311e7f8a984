import * as v from 'valibot';
import { hexOf } from '../codec/hex.ts';

/**
 * The archive of a cluster's state at one revision, as a stream: MAGIC, then blocks. A block is a type (1 byte), the lengths of its payload as it
 * stands there and unpacked (4 bytes each, big-endian), the payload (raw deflate), and the SHA-256 of everything up to here: of the digest before it
 * and its own bytes. Types in order: one `H` (Header as JSON), any number of `R` (rows, see rowLines), one `T` (Trailer as JSON), and no byte after it.
 * Whoever reads a block has checked it, and whoever has read the trailer has checked the whole.
 */
const ARCHIVE_VERSION = 1;
export const ARCHIVE_TYPE = 'application/vnd.coracle.archive';
const NAME = 'coracle-archive ';
const MAGIC = `${NAME}${ARCHIVE_VERSION}\n`;

/** Rows are gathered up to here, before compression, and of a larger one so much is packed or unpacked in a step: some 3 ms. */
export const BLOCK_BYTES = 128 * 1024;
/** Lets everybody else have their turn. */
type Turn = () => Promise<void>;
/** One row may be larger than BLOCK_BYTES: a body of 1.5 MiB, and in its facts as much again. A block beyond this isn't ours. */
const BLOCK_BYTES_MAX = 8 * 1024 * 1024;
const FRAME_BYTES = 9;
const DIGEST_BYTES = 32;

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** What the archive is of. `schema`: version of the store's tables that wrote it. `base`: hash of the base layer ('' = none), `uidPrefix` and `createdMs` what its rows are filled with. */
export const ArchiveHeader = v.object({
  kubernetes: v.string(),
  cluster: v.object({ name: v.string(), id: v.string() }),
  revision: Count,
  /** The newest revision that the cluster is known to have reached. */
  newest: Count,
  /** RFC 3339. */
  time: v.string(),
  schema: Count,
  base: v.string(),
  uidPrefix: v.string(),
  createdMs: v.number(),
  counters: v.record(v.string(), v.number()),
});
export type ArchiveHeader = v.InferOutput<typeof ArchiveHeader>;
/** `sha256`: the digest of the block before, which is that of everything before. */
const ArchiveTrailer = v.object({ rows: Count, sha256: v.string() });

/** A row of a cluster, its body and facts as they are stored. */
export interface ArchiveRow {
  key: string;
  version: string;
  schema: string;
  enc?: string;
  /** Milliseconds that it had left to live. */
  ttlMs?: number;
  /** Who wrote it last. */
  by?: string;
  /** It is the base layer's: written by those alone who don't have that layer. */
  base?: boolean;
  /** JSON text. */
  facts: string;
  /** Null: the cluster has deleted this row of its base layer. */
  value: string | null;
}

/** A stream that is no archive, or not the one that was written. One line for the user. */
export class ArchiveError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArchiveError';
  }
}

const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Three lines a row: what it is, its facts, its body (empty for a deletion). JSON texts as the store keeps them hold no line break. */
export function rowLines(rows: readonly ArchiveRow[]): Uint8Array {
  let lines = '';
  for (const { facts, value, ...head } of rows) {
    if (facts.includes('\n') || value?.includes('\n'))
      throw new ArchiveError(`${head.key} has a line break in its text`);
    lines += `${JSON.stringify(head)}\n${facts}\n${value ?? ''}\n`;
  }
  return utf8.encode(lines);
}

/** The rows of rowLines(). */
export function rowsOf(lines: Uint8Array): ArchiveRow[] {
  const parts = text.decode(lines).split('\n');
  const rows: ArchiveRow[] = [];
  for (let i = 0; i + 3 < parts.length; i += 3) {
    const head = JSON.parse(parts[i] as string) as Omit<ArchiveRow, 'facts' | 'value'>;
    rows.push({ ...head, facts: parts[i + 1] as string, value: parts[i + 2] === '' ? null : (parts[i + 2] as string) });
  }
  if (parts.length % 3 !== 1 || parts.at(-1) !== '') throw new ArchiveError('a row of the archive is cut');
  return rows;
}

/** Rows as they are stored together: rowLines() and their number. */
export interface RowBlock {
  rows: number;
  lines: Uint8Array;
}

/** The archive of these blocks; what it gives is to be written in this order. Asks for a block when the one before has been taken, whose lines are gone then. */
export async function* writeArchive(
  header: ArchiveHeader,
  blocks: AsyncIterable<RowBlock> | Iterable<RowBlock>,
  turn?: Turn,
): AsyncGenerator<Uint8Array> {
  const magic = utf8.encode(MAGIC);
  yield magic;
  let digest = await sha256(magic);
  let rows = 0;
  const seal = async (type: string, raw: Uint8Array) => {
    const block = await packed(type, raw, digest, turn);
    digest = block.slice(-DIGEST_BYTES);
    release(raw);
    return block;
  };
  yield await seal('H', utf8.encode(JSON.stringify(header)));
  for await (const block of blocks) {
    rows += block.rows;
    yield await seal('R', block.lines);
    await turn?.();
  }
  yield await seal('T', utf8.encode(JSON.stringify({ rows, sha256: hexOf(digest) })));
}

/** A block, of which the digest before it is a part only while its own is made. */
async function packed(type: string, raw: Uint8Array, before: Uint8Array, turn?: Turn): Promise<Uint8Array> {
  if (raw.length > BLOCK_BYTES_MAX) throw new ArchiveError(`a block of ${raw.length} bytes is too large`);
  const payload = await through(new CompressionStream('deflate-raw'), raw, BLOCK_BYTES_MAX + FRAME_BYTES, turn);
  const length = DIGEST_BYTES + FRAME_BYTES + payload.length;
  const buffer = new Uint8Array(length + DIGEST_BYTES);
  const view = new DataView(buffer.buffer, DIGEST_BYTES);
  buffer.set(before);
  view.setUint8(0, type.charCodeAt(0));
  view.setUint32(1, payload.length);
  view.setUint32(5, raw.length);
  buffer.set(payload, DIGEST_BYTES + FRAME_BYTES);
  release(payload);
  buffer.set(await sha256(buffer.subarray(0, length)), length);
  return buffer.subarray(DIGEST_BYTES);
}

/** What an archive holds, in order: its header, rows, and at the end, when all of it has been checked, how many there were. */
export type ArchivePart =
  | { type: 'header'; header: ArchiveHeader }
  | { type: 'rows'; lines: Uint8Array }
  | { type: 'end'; rows: number; bytes: number };

/** Reads an archive, block by block; throws ArchiveError at the first byte that isn't as it was written. Without the part 'end' nothing may be believed. */
export async function* readArchive(source: AsyncIterable<Uint8Array>, turn?: Turn): AsyncGenerator<ArchivePart> {
  const input = new Input(source);
  let digest = await sha256(await magicOf(input));
  let rows = 0;
  for (let n = 0; ; n++) {
    const from = input.taken;
    const damaged = () => new ArchiveError(`the archive is damaged in the block at byte ${from}`);
    const head = new Uint8Array(FRAME_BYTES);
    await input.take(head);
    const view = new DataView(head.buffer);
    const [type, length, rawLength] = [String.fromCharCode(view.getUint8(0)), view.getUint32(1), view.getUint32(5)];
    if (length > BLOCK_BYTES_MAX || rawLength > BLOCK_BYTES_MAX) throw damaged();
    const payloadAt = DIGEST_BYTES + FRAME_BYTES;
    const block = new Uint8Array(payloadAt + length + DIGEST_BYTES);
    block.set(digest);
    block.set(head, DIGEST_BYTES);
    await input.take(block.subarray(payloadAt));
    const before = digest;
    const [payload, own] = [block.subarray(payloadAt, payloadAt + length), block.subarray(payloadAt + length)];
    digest = await sha256(block.subarray(0, payloadAt + length));
    if (!equal(digest, own)) throw damaged();
    const raw = await through(new DecompressionStream('deflate-raw'), payload, rawLength, turn).catch(() => null);
    if (raw?.length !== rawLength) throw damaged();
    if (type === 'H' && n === 0) yield { type: 'header', header: parsed(ArchiveHeader, raw, damaged) };
    else if (type === 'R' && n > 0) {
      rows += linesOf(raw) / 3;
      yield { type: 'rows', lines: raw };
    } else if (type === 'T' && n > 0) {
      const trailer = parsed(ArchiveTrailer, raw, damaged);
      if (trailer.rows !== rows || trailer.sha256 !== hexOf(before)) throw damaged();
      if (!(await input.ended())) throw new ArchiveError('the archive goes on after its end');
      yield { type: 'end', rows, bytes: input.taken };
      return;
    } else throw damaged();
  }
}

async function magicOf(input: Input): Promise<Uint8Array> {
  const magic = new Uint8Array(MAGIC.length);
  await input.take(magic).catch((error: unknown) => {
    // A file that ends before is no archive either.
    if (!(error instanceof ArchiveError)) throw error;
  });
  const line = new TextDecoder().decode(magic);
  if (!line.startsWith(NAME)) throw new ArchiveError('this is not an archive of a Coracle cluster');
  if (line !== MAGIC) {
    const version = JSON.stringify(line.slice(NAME.length).trim());
    throw new ArchiveError(`the archive has format version ${version}; this release reads version ${ARCHIVE_VERSION}`);
  }
  return magic;
}

function parsed<S extends v.GenericSchema>(schema: S, raw: Uint8Array, damaged: () => ArchiveError): v.InferOutput<S> {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), new TextDecoder().decode(raw));
  if (!result.success) throw damaged();
  return result.output as v.InferOutput<S>;
}

/** A stream of chunks of any size, taken in pieces. Holds one piece and one chunk. */
class Input {
  /** Bytes given out so far. */
  taken = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Fills `out`; throws ArchiveError where the stream ends before. */
  async take(out: Uint8Array): Promise<void> {
    for (let at = 0; at < out.length; ) {
      if (this.#rest.length === 0 && !(await this.#more()))
        throw new ArchiveError(`the archive is cut: it ends after ${this.taken + at} bytes`);
      const part = this.#rest.subarray(0, out.length - at);
      out.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    this.taken += out.length;
  }

  async ended(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#more());
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#rest = next.value;
      if (next.value.length > 0) return true;
    }
  }
}

/** Packs or unpacks; gives up beyond `most` bytes. */
async function through(
  transform: CompressionStream | DecompressionStream,
  input: Uint8Array,
  most: number,
  turn?: Turn,
): Promise<Uint8Array> {
  const written = poured(transform.writable as WritableStream<Uint8Array>, input, turn);
  // What is wrong with the input the reader says too.
  written.catch(() => undefined);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = (transform.readable as ReadableStream<Uint8Array>).getReader();
  for (let r = await reader.read(); !r.done; r = await reader.read()) {
    length += r.value.length;
    if (length > most) {
      await reader.cancel();
      throw new ArchiveError('a block of the archive is longer than it says');
    }
    chunks.push(r.value);
  }
  await written;
  return joined(chunks, length);
}

async function poured(into: WritableStream<Uint8Array>, bytes: Uint8Array, turn?: Turn): Promise<void> {
  const writer = into.getWriter();
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    if (at > 0) await turn?.();
    await writer.write(bytes.subarray(at, at + BLOCK_BYTES));
  }
  await writer.close();
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only) return only;
  const out = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
    release(chunk);
  }
  return out;
}

/** Gives the memory back now: a buffer weighs little where garbage is counted, and much where memory is. */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength) buffer.transfer(0);
}

const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

const NEWLINE = 10;
function linesOf(raw: Uint8Array): number {
  let n = 0;
  for (let i = raw.indexOf(NEWLINE); i >= 0; i = raw.indexOf(NEWLINE, i + 1)) n++;
  return n;
}
