/** One clause of an Accept header. */
export interface Clause {
  type: string;
  subtype: string;
  quality: number;
  params: Map<string, string>;
}

/** A header with more clauses than any client sends: the rest is not looked at. */
const CLAUSES_MAX = 64;

/** The clauses of an Accept header, the preferred first, as the library under kube-apiserver (munnerz/goautoneg) reads and sorts them. */
export function parseAccept(header: string): Clause[] {
  const clauses: Clause[] = [];
  for (const part of header.split(',', CLAUSES_MAX)) {
    const clause = parseClause(part);
    if (clause !== null) insert(clauses, clause);
  }
  return clauses;
}

/** Insertion sort with upstream's comparison, which is no total order: another algorithm would give another result. */
function insert(sorted: Clause[], c: Clause): void {
  let i = sorted.length;
  sorted.push(c);
  for (; i > 0 && before(c, sorted[i - 1] as Clause); i--) sorted[i] = sorted[i - 1] as Clause;
  sorted[i] = c;
}

function before(a: Clause, b: Clause): boolean {
  if (a.quality > b.quality) return true;
  return (a.type !== '*' && b.type === '*') || (a.subtype !== '*' && b.subtype === '*');
}

const trim = (s: string) => s.replace(/^ +| +$/g, '');

function parseClause(text: string): Clause | null {
  const [range = '', ...params] = trim(text).split(';');
  const [type = '', subtype = '', extra] = range.split('/').map(trim);
  if (extra !== undefined) return null;
  if (subtype === '' && type !== '*') return null;
  const clause: Clause = { type, subtype: subtype === '' ? '*' : subtype, quality: 1, params: new Map() };
  for (const p of params) {
    const [name = '', value = '', more] = p.split('=');
    if (value === '' || more !== undefined) continue;
    if (trim(name) === 'q') clause.quality = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : 0;
    else clause.params.set(trim(name), trim(value));
  }
  return clause;
}
