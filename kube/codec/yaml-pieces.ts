import { Composer, type CST, type Document, Lexer, type LineCounter, Parser } from 'yaml';
import type { Steps } from '../meta/steps.ts';

// Reading a long YAML text in steps: the parser's tokens some thousand at a time, and of these, block collections some items at a time.

/** Texts up to here are read in one step: a millisecond. */
export const WHOLE_UNITS = 16 * 1024;
/** About 2 ms. */
const LEXEMES_STEP = 2_048;
const PIECE_UNITS = 16 * 1024;
/** Collections further in are read whole, as deep texts are. */
const DEPTH_MAX = 16;

type Options = ConstructorParameters<typeof Composer>[0];
/** A collection that can be read item by item. */
export type Block = CST.BlockMap | CST.BlockSequence;
type Item = Block['items'][number];

/** A text's tokens. */
export interface YamlTokens {
  list: CST.Token[];
  units: number;
  /** Neither anchors nor aliases: no part refers to another. */
  selfContained: boolean;
}

/** All tokens of a text, in steps. */
export function* yamlTokens(text: string, lines: LineCounter): Steps<YamlTokens> {
  const list: CST.Token[] = [];
  let selfContained = true;
  const parser = new Parser(lines.addNewLine);
  let n = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme[0] === '&' || lexeme[0] === '*') selfContained = false;
    for (const token of parser.next(lexeme)) list.push(token);
    if (++n % LEXEMES_STEP === 0) yield;
  }
  for (const token of parser.end()) list.push(token);
  return { list, units: text.length, selfContained };
}

/** The first document of all tokens, in one step. */
export function wholeDocument(tokens: YamlTokens, options: Options): Document.Parsed {
  const [doc] = new Composer(options).compose(tokens.list, true, tokens.units);
  return doc as Document.Parsed;
}

const BETWEEN = new Set(['space', 'comment', 'newline', 'byte-order-mark']);
const only = (tokens: readonly CST.Token[] | undefined, more?: string): boolean =>
  tokens === undefined || tokens.every((t) => BETWEEN.has(t.type) || t.type === more);

/** The collection that a long text is, where its parts can be read by themselves; null where it must be read whole. */
export function rootBlock(tokens: YamlTokens): Block | null {
  if (tokens.units <= WHOLE_UNITS || !tokens.selfContained) return null;
  const [document, ...more] = tokens.list.filter((t) => !BETWEEN.has(t.type));
  if (document?.type !== 'document' || more.length > 0) return null;
  const { start, value, end } = document;
  const isBegun = start.findIndex((t) => t.type === 'doc-start');
  if (!only(start, 'doc-start') || !only(end)) return null;
  if (isBegun >= 0 && !start.slice(isBegun).some((t) => t.type === 'newline')) return null;
  return isBlock(value) ? value : null;
}

const isBlock = (t: CST.Token | null | undefined): t is Block => t?.type === 'block-map' || t?.type === 'block-seq';

/** A part of a collection: some of its items as a document of their own, or one whose value is a collection to be read in parts. */
export interface Piece {
  /** Items, or the key alone of the one; null of a list's. */
  document: Document.Parsed | null;
  inner: { block: Block; end: number } | null;
}

/** The parts of a collection that ends before `end`, in order. */
export function* piecesOf(block: Block, end: number, depth: number, options: Options): Generator<Piece> {
  const { items } = block;
  let from = 0;
  let units = 0;
  const collected = (to: number): Piece[] =>
    to === from ? [] : [{ document: part(block, items.slice(from, to), options), inner: null }];
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as Item;
    const next = items[i + 1];
    const ends = next === undefined ? end : beginOf(next, end);
    const length = ends - beginOf(item, ends);
    if (length > PIECE_UNITS && depth < DEPTH_MAX && isBlock(item.value) && standsAlone(block, item)) {
      yield* collected(i);
      const key = block.type === 'block-map' ? part(block, [{ ...item, value: undefined } as Item], options) : null;
      yield { document: key, inner: { block: item.value, end: ends } };
      from = i + 1;
      units = 0;
      continue;
    }
    units += length;
    if (units < PIECE_UNITS) continue;
    yield* collected(i + 1);
    from = i + 1;
    units = 0;
  }
  yield* collected(items.length);
}

/** Where an item begins, as far as its tokens tell. */
const beginOf = (item: Item, otherwise: number): number =>
  item.start[0]?.offset ?? item.key?.offset ?? item.sep?.[0]?.offset ?? item.value?.offset ?? otherwise;

/** Nothing but a key, its colon and a new line, or a list's dash, stands before the value: no tag, and no error that the value is a part of. */
function standsAlone(block: Block, item: Item): boolean {
  if (block.type === 'block-seq') return only(item.start, 'seq-item-ind');
  const { key, sep, explicitKey } = item as CST.BlockMap['items'][number];
  const isScalar =
    key?.type === 'scalar' || key?.type === 'single-quoted-scalar' || key?.type === 'double-quoted-scalar';
  return (
    isScalar &&
    explicitKey !== true &&
    only(item.start) &&
    only(sep, 'map-value-ind') &&
    !!sep?.some((t) => t.type === 'newline')
  );
}

function part(block: Block, items: readonly Item[], options: Options): Document.Parsed {
  const value = { ...block, items: [...items] } as Block;
  const offset = items[0] === undefined ? block.offset : beginOf(items[0], block.offset);
  const document: CST.Document = { type: 'document', offset, start: [], value: { ...value, offset } };
  const [doc] = new Composer(options).compose([document], true, offset);
  return doc as Document.Parsed;
}
