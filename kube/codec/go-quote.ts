const SHORT: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
/** What Go's unicode.IsPrint refuses: controls, formats, unassigned, private use and every space but the plain one. */
const UNPRINTABLE = /["\\]|[^\P{C}]|[^ \P{Z}]/gu;

/** strconv.Quote: a text as Go prints it with %q. */
export function goQuote(s: string): string {
  return `"${s.replace(UNPRINTABLE, escapeOf)}"`;
}

function escapeOf(c: string): string {
  const short = SHORT[c];
  if (short !== undefined) return short;
  const point = c.codePointAt(0) ?? 0;
  if (point < 32 || point === 127) return `\\x${point.toString(16).padStart(2, '0')}`;
  if (point >= 0xd800 && point < 0xe000) return '\ufffd';
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\U${point.toString(16).padStart(8, '0')}`;
}
