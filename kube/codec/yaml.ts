import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { quote } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { bytesOfBase64 } from './base64.ts';
import { JsonError, textOf } from './json.ts';
import { duplicateFields } from './json-duplicates.ts';
import { parseSteps } from './json-pieces.ts';
import { describeYamlError } from './yaml-error.ts';
import {
  type Block,
  piecesOf,
  rootBlock,
  WHOLE_UNITS,
  wholeDocument,
  type YamlTokens,
  yamlTokens,
} from './yaml-pieces.ts';
import { resolveScalar, type ScalarTag } from './yaml-scalar.ts';

export { printYaml, printYamlSteps } from './yaml-print.ts';

/** A text that isn't YAML, or has no JSON form. The message is that of go.yaml.in/yaml/v2 as far as the parser tells the same. */
export class YamlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'YamlError';
  }
}

export interface YamlBody {
  value: Json;
  /** What strict decoding says of keys that come twice; '' when none does. */
  duplicates: string;
}

/** go-yaml's limits against documents that expand: this many nodes in all, of which so many may come from aliases. */
const DECODES_FREE = 1000;
const ALIASED_FREE = 100;
const RATIO_LOW = 400_000;
const RATIO_HIGH = 4_000_000;

/**
 * Reads a YAML body as sigs.k8s.io/yaml does: the first document, YAML 1.1 booleans, int64 kept, keys turned into text.
 * Most YAML bodies of a cluster are JSON under the YAML content type (kubectl apply): those never reach the YAML parser.
 */
export const parseYaml = (text: string): YamlBody => finish(yamlSteps(text));

/** parseYaml() in steps. */
export function* yamlSteps(text: string): Steps<YamlBody> {
  const json = yield* asJson(text);
  if (json !== null) return json;
  if (CONTROL.test(text)) throw new YamlError('yaml: control characters are not allowed');
  if (text.length > WHOLE_UNITS) yield;
  try {
    return yield* new Reader().read(firstDocument(text));
  } catch (e) {
    // The parser and the walk are recursive: a body may be deeper than a stack.
    if (e instanceof RangeError) throw new YamlError('yaml: exceeded max depth of 10000');
    throw e;
  }
}

/** Characters that no YAML stream may hold, quoted or not. */
const CONTROL = /[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

function* asJson(text: string): Steps<YamlBody | null> {
  if (text.charCodeAt(0) !== 123) return null;
  try {
    const value = yield* parseSteps(text);
    yield;
    // YAML names the line of a duplicate.
    return duplicateFields(text, value).length === 0 ? { value, duplicates: '' } : null;
  } catch (e) {
    if (e instanceof JsonError) return null;
    throw e;
  }
}

class Reader {
  private readonly lines = new LineCounter();
  private readonly options = {
    version: '1.1',
    schema: 'failsafe',
    merge: false,
    uniqueKeys: false,
    logLevel: 'silent',
    lineCounter: this.lines,
    prettyErrors: false,
  } as const;
  private doc: Document.Parsed | null = null;
  private duplicates: string[] = [];
  private readonly inside = new Set<Node>();
  private decoded = 0;
  private aliased = 0;
  private aliasDepth = 0;

  *read(text: string): Steps<YamlBody> {
    const tokens = yield* yamlTokens(text, this.lines);
    const root = rootBlock(tokens);
    const value = root === null ? this.whole(tokens) : yield* this.inPieces(tokens, root);
    const duplicates = this.duplicates.map((d) => `\n  ${d}`).join('');
    return { value, duplicates: duplicates === '' ? '' : `yaml: unmarshal errors:${duplicates}` };
  }

  private whole(tokens: YamlTokens): Json {
    this.doc = wholeDocument(tokens, this.options);
    const why = describeYamlError(this.doc, this.lines);
    if (why !== null) throw new YamlError(why);
    return this.doc.contents === null ? null : this.valueOf(this.doc.contents as Node);
  }

  private *inPieces(tokens: YamlTokens, root: Block): Steps<Json> {
    try {
      return yield* this.blockOf(root, tokens.units, 0);
    } catch (e) {
      if (!(e instanceof YamlError)) throw e;
      // Which of several errors counts is told by the document as a whole.
      this.duplicates = [];
      this.decoded = 0;
      return this.whole(tokens);
    }
  }

  private *blockOf(block: Block, end: number, depth: number): Steps<Json> {
    this.count();
    const members = new Map<string, Member>();
    const items: Json[] = [];
    for (const { document, inner } of piecesOf(block, end, depth, this.options)) {
      if (document !== null) this.checked(document);
      const contents = document?.contents as Node | null | undefined;
      if (inner !== null) {
        const pair = isMap(contents) ? (contents.items[0] as Pair<Node, Node | null>) : null;
        // The value of a merge key is no value of its own.
        if (pair !== null && isMerge(pair.key)) throw new YamlError(NOT_MERGED);
        const key = pair === null ? null : this.keyOf(pair.key);
        const value = yield* this.blockOf(inner.block, inner.end, depth + 1);
        if (key === null) items.push(value);
        else this.take(key, value, inner.block.offset, members);
      } else if (isMap(contents)) this.mapOf(contents, members);
      else if (isSeq(contents)) for (const item of contents.items) items.push(this.valueOf(item as Node));
      yield;
    }
    return block.type === 'block-seq' ? items : objectOf(members);
  }

  private checked(document: Document.Parsed): void {
    this.doc = document;
    const why = describeYamlError(document, this.lines);
    if (why !== null) throw new YamlError(why);
  }

  private valueOf(node: Node | null): Json {
    this.count();
    if (node === null) return null;
    if (isAlias(node)) return this.aliasOf(node);
    if (isMap(node)) return objectOf(this.mapOf(node, new Map()));
    if (isSeq(node)) return node.items.map((i) => this.valueOf(i as Node));
    return isScalar(node) ? scalarOf(node).value : null;
  }

  private count(): void {
    this.decoded++;
    if (this.aliasDepth > 0) this.aliased++;
    if (this.aliased <= ALIASED_FREE || this.decoded <= DECODES_FREE) return;
    const over = Math.min(Math.max(this.decoded - RATIO_LOW, 0) / (RATIO_HIGH - RATIO_LOW), 1);
    if (this.aliased / this.decoded > 0.99 - 0.89 * over) {
      throw new YamlError('yaml: document contains excessive aliasing');
    }
  }

  private target(node: Node): Node {
    if (!isAlias(node)) return node;
    const target = this.doc === null ? undefined : node.resolve(this.doc);
    if (target === undefined) throw new YamlError(`yaml: unknown anchor '${node.source}' referenced`);
    return target;
  }

  private aliasOf(node: Node & { source?: string }): Json {
    const target = this.target(node);
    if (this.inside.has(target)) throw new YamlError(`yaml: anchor '${node.source}' value contains itself`);
    this.inside.add(target);
    this.aliasDepth++;
    const v = this.valueOf(target);
    this.aliasDepth--;
    this.inside.delete(target);
    return v;
  }

  /** Fills `into`; a merge key's maps are poured in where it stands, over what is there. */
  private mapOf(map: YAMLMap, into: Map<string, Member>): Map<string, Member> {
    // An anchored map is open while its members are read: an alias to it inside is a loop.
    const opened = map.anchor !== undefined && !this.inside.has(map);
    if (opened) this.inside.add(map);
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      if (isMerge(pair.key)) this.merge(pair.value, into);
      else this.member(pair, into);
    }
    if (opened) this.inside.delete(map);
    return into;
  }

  private member(pair: Pair<Node, Node | null>, into: Map<string, Member>): void {
    const key = this.keyOf(pair.key);
    this.take(key, this.valueOf(pair.value), (pair.value ?? pair.key)?.range?.[0] ?? 0, into);
  }

  /** `at`: where go-yaml says that a member is, its value or, when that is empty, its key. */
  private take(key: Key, value: Json, at: number, into: Map<string, Member>): void {
    if (into.has(key.id)) this.duplicates.push(`line ${this.line(at)}: key ${key.shown} already set in map`);
    into.set(key.id, { name: key.name, shown: key.shown, value });
  }

  private keyOf(node: Node | null): Key {
    this.count();
    const target = node === null ? null : this.target(node);
    if (target !== null && !isScalar(target)) {
      throw new YamlError(
        `yaml: invalid map key: ${isMap(target) ? 'map[interface {}]interface {}' : '[]interface {}'}{}`,
      );
    }
    const s = target === null ? { tag: '!!null' as ScalarTag, value: null } : scalarOf(target);
    if (s.value === null) return { id: '', name: null, shown: '<nil>' };
    if (typeof s.value === 'string') return { id: `s${s.value}`, name: s.value, shown: quote(s.value) };
    const name = String(s.value);
    return { id: `${s.tag}${name}`, name, shown: name };
  }

  private merge(node: Node | null, into: Map<string, Member>): void {
    const target = node === null ? null : this.target(node);
    if (isSeq(target)) {
      if (node !== target) throw new YamlError(NOT_MERGED);
      for (const item of [...target.items].reverse()) this.mergeOne(item as Node, into);
    } else this.mergeOne(node, into);
  }

  private mergeOne(node: Node | null, into: Map<string, Member>): void {
    const target = node === null ? null : this.target(node);
    if (!isMap(target)) throw new YamlError(NOT_MERGED);
    if (this.inside.has(target)) throw new YamlError(`yaml: anchor '${target.anchor}' value contains itself`);
    this.aliasDepth++;
    this.inside.add(target);
    this.mapOf(target, into);
    this.inside.delete(target);
    this.aliasDepth--;
  }

  private line(offset: number): number {
    return this.lines.linePos(offset).line;
  }
}

const NOT_MERGED = 'yaml: map merge requires map or sequence of maps as the value';

interface Key {
  id: string;
  name: string | null;
  shown: string;
}

interface Member {
  /** null when the key is null. */
  name: string | null;
  shown: string;
  value: Json;
}

const SEPARATOR = /^(?:---|\.\.\.)(?=\s|$)/gm;

/** The text up to where a second document begins: upstream reads no further, whatever follows. */
function firstDocument(text: string): string {
  let began = false;
  for (const m of text.matchAll(SEPARATOR)) {
    const before = text.slice(0, m.index);
    began ||= /^[^#%\s\ufeff]/m.test(before) || /^[ \t]+[^#\s]/m.test(before);
    if (began) return before;
    began = m[0] === '---';
  }
  return text;
}

function objectOf(members: Map<string, Member>): JsonObject {
  const out: JsonObject = {};
  for (const { name, value } of members.values()) {
    if (name === null) {
      throw new YamlError(`unsupported map key of type: %!s(<nil>), key: <nil>, value: ${goValue(value)}`);
    }
    if (name === '__proto__')
      Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
    else out[name] = value;
  }
  return out;
}

const goValue = (v: Json) => (typeof v === 'string' ? quote(v) : v === null ? '<nil>' : String(v));

function isMerge(key: Node | null): boolean {
  if (!isScalar(key) || key.source !== '<<') return false;
  return key.type === Scalar.PLAIN
    ? key.tag === undefined || key.tag === '!!merge'
    : key.tag === 'tag:yaml.org,2002:merge';
}

const LONG_TAG = 'tag:yaml.org,2002:';

function scalarOf(node: Scalar): { tag: ScalarTag; value: Json } {
  const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
  const tag = node.tag?.startsWith(LONG_TAG) ? `!!${node.tag.slice(LONG_TAG.length)}` : node.tag;
  if (tag === undefined) {
    if (node.type !== Scalar.PLAIN) return { tag: '!!str', value: text };
    return jsonable(resolveScalar(text));
  }
  if (tag === '!!binary') return { tag: '!!str', value: binary(text) };
  const known = ['!!bool', '!!int', '!!float', '!!null', '!!timestamp'].includes(tag);
  if (!known) return { tag: '!!str', value: text };
  const s = resolveScalar(text);
  if (s.tag !== tag && !(tag === '!!float' && s.tag === '!!int')) {
    throw new YamlError(`yaml: cannot decode ${s.tag} \`${text}\` as a ${tag}`);
  }
  return jsonable(s);
}

function jsonable(s: { tag: ScalarTag; value: Json }): { tag: ScalarTag; value: Json } {
  if (typeof s.value !== 'number' || Number.isFinite(s.value)) return s;
  const text = Number.isNaN(s.value) ? 'NaN' : s.value > 0 ? '+Inf' : '-Inf';
  throw new YamlError(`json: unsupported value: ${text}`);
}

function binary(text: string): string {
  const bytes = bytesOfBase64(text);
  if (typeof bytes === 'number') throw new YamlError('yaml: !!binary value contains invalid base64 data');
  return textOf(bytes);
}
