import type { Json } from '../meta/json.ts';

/** What a plain YAML scalar is to go.yaml.in/yaml/v2, which Kubernetes reads YAML with: YAML 1.1 booleans, 1.2's octals beside the old ones. */
export type ScalarTag = '!!str' | '!!int' | '!!float' | '!!bool' | '!!null' | '!!timestamp';
export interface Scalar {
  tag: ScalarTag;
  value: Json;
}

const WORDS = new Map<string, Scalar>();
const word = (tag: ScalarTag, value: Json, texts: string) => {
  for (const t of texts.split(' ')) WORDS.set(t, { tag, value });
};
word('!!bool', true, 'y Y yes Yes YES true True TRUE on On ON');
word('!!bool', false, 'n N no No NO false False FALSE off Off OFF');
word('!!null', null, ' ~ null Null NULL');
word('!!float', Number.NaN, '.nan .NaN .NAN');
word('!!float', Number.POSITIVE_INFINITY, '.inf .Inf .INF +.inf +.Inf +.INF');
word('!!float', Number.NEGATIVE_INFINITY, '-.inf -.Inf -.INF');

const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const POINT_FLOAT = /^\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?$/;
const TIMESTAMP =
  /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?)?$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** The meaning of an unquoted scalar without a tag. */
export function resolveScalar(text: string): Scalar {
  const known = WORDS.get(text);
  if (known !== undefined) return known;
  const first = text.charCodeAt(0);
  if (first === 46) return POINT_FLOAT.test(text) ? floatOf(text) : { tag: '!!str', value: text };
  const numeric = first === 43 || first === 45 || (first >= 48 && first <= 57);
  if (!numeric) return { tag: '!!str', value: text };
  if (TIMESTAMP.test(text)) return { tag: '!!timestamp', value: text };
  const plain = text.replaceAll('_', '');
  const int = integerOf(plain);
  if (int !== null) return { tag: '!!int', value: int };
  return FLOAT.test(plain) ? floatOf(text) : { tag: '!!str', value: text };
}

/** A number too large for a float64 stays text, as in Go. */
function floatOf(text: string): Scalar {
  const v = Number(text.replaceAll('_', ''));
  return Number.isFinite(v) ? { tag: '!!float', value: v } : { tag: '!!str', value: text };
}

/** Decimal, 0x, 0b, 0o and the old octal, as int64 or uint64; null when it is none or doesn't fit. */
function integerOf(text: string): number | bigint | null {
  const m = INTEGER.exec(text);
  const digits = m?.[2];
  // Longer ones take BigInt long, and don't fit.
  if (digits === undefined || digits.replace(/^0[xXbBoO]?0*/, '').length > 64) return null;
  const old = digits.length > 1 && digits[0] === '0' && (digits[1] as string) <= '9';
  const magnitude = BigInt(old ? `0o${digits.slice(1)}` : digits.toLowerCase());
  const v = m?.[1] === '-' ? -magnitude : magnitude;
  if (v < INT64_MIN || v > UINT64_MAX || (m?.[1] === '+' && v >= 2n ** 63n)) return null;
  const n = Number(v);
  return Number.isSafeInteger(n) ? (n === 0 ? 0 : n) : v;
}

/** Base 60 is no number here, but is quoted on the way out for other readers. */
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** Would this text, written without quotes, be read back as the same text? */
export function plainText(text: string): boolean {
  return resolveScalar(text).tag === '!!str' && !BASE_60.test(text);
}
