import type { Document, LineCounter, YAMLError } from 'yaml';

/** One kind of finding: which it is, go-yaml's words, and how its line is counted. */
interface Rule {
  code?: string;
  message?: RegExp;
  words: string;
  /** go-yaml's parser counts lines from 0, its scanner from 1, and a missing colon is found on the next line. */
  line: -1 | 0 | 1;
}

/** The first that fits counts. The two parsers don't draw every line at the same place: where they differ, the words are the nearest. */
const RULES: readonly Rule[] = [
  { message: /^Missing closing/, words: 'found unexpected end of stream', line: 0 },
  { message: /^Flow map .*must .*end with a }/, words: "did not find expected ',' or '}'", line: -1 },
  { message: /^Flow sequence .*must .*end with a ]/, words: "did not find expected ',' or ']'", line: -1 },
  { message: /block-seq-ind on same line/, words: 'block sequence entries are not allowed in this context', line: 0 },
  { message: /^Unknown directive/, words: 'found unknown directive name', line: 0 },
  { code: 'BLOCK_AS_IMPLICIT_KEY', words: 'mapping values are not allowed in this context', line: 0 },
  { code: 'BAD_SCALAR_START', words: 'found character that cannot start any token', line: 0 },
  { code: 'TAB_AS_INDENT', words: 'found character that cannot start any token', line: 0 },
  { code: 'BAD_DQ_ESCAPE', words: 'found unknown escape character', line: 0 },
  { code: 'MISSING_CHAR', words: "could not find expected ':'", line: 1 },
  { code: 'KEY_OVER_1024_CHARS', words: "could not find expected ':'", line: 0 },
  { code: 'BAD_ALIAS', words: 'did not find expected alphabetic or numeric character', line: 0 },
  { code: 'MULTIPLE_ANCHORS', words: 'did not find expected node content', line: -1 },
  { code: 'MULTIPLE_TAGS', words: 'did not find expected node content', line: -1 },
  { words: 'did not find expected key', line: -1 },
];

/** Why a document can't be read, in the words of go.yaml.in/yaml/v2; null when it can. */
export function describeYamlError(doc: Document.Parsed, lines: LineCounter): string | null {
  const errors = [...doc.errors, ...doc.warnings.filter((w) => w.code === 'BAD_DIRECTIVE')];
  const e = errors.find((x) => x.code !== 'MULTIPLE_DOCS');
  if (e === undefined) return null;
  const rule = RULES.find((r) => (r.code === undefined || r.code === e.code) && (r.message?.test(e.message) ?? true));
  const line = lines.linePos(positionOf(e, errors)).line + (rule?.line ?? 0);
  // go-yaml names no line for what its own count calls 0, and for a scanner's first line.
  const shown = rule?.line === -1 ? line > 0 : line > 1;
  return `yaml: ${shown ? `line ${line}: ` : ''}${rule?.words}`;
}

/** A second key inside a plain text is found at its colon, on the later line. */
function positionOf(e: YAMLError, errors: readonly YAMLError[]): number {
  const multiline = errors.find((x) => x.code === 'MULTILINE_IMPLICIT_KEY');
  return e.code === 'BLOCK_AS_IMPLICIT_KEY' && multiline !== undefined ? multiline.pos[1] : e.pos[0];
}
