import type { Facts } from '../../kube/meta/facts.ts';
import { foundByRefs } from '../../kube/store/key.ts';
import type { Key, Selection } from '../../kube/store/store.ts';
import type { Sql } from './sql.ts';

/**
 * Fields that have index rows: a kubelet's pods, and an object's Events, which `kubectl describe` asks for. The rest change
 * often (status.phase) or select much; they are tested row by row.
 */
const INDEXED_FIELDS: ReadonlySet<string> = new Set(['spec.nodeName', 'involvedObject.uid', 'involvedObject.name']);

/** The index terms of a row. */
export const indexedTerms = (key: Key, facts: Facts): string[] => termsOf(facts).filter((term) => isIndexed(key, term));
const isIndexed = (key: Key, term: string): boolean => !term.startsWith('r:') || foundByRefs(key);
function termsOf(facts: Facts): string[] {
  const terms: string[] = [];
  for (const uid of facts.owners ?? []) terms.push(`o:${uid}`);
  if (facts.node !== undefined && facts.node !== '') terms.push(`n:${facts.node}`);
  for (const ref of facts.refs ?? []) terms.push(`r:${ref}`);
  for (const label in facts.labels) terms.push(`l:${label}=${facts.labels[label]}`);
  for (const field in facts.fields) {
    const value = facts.fields[field];
    if (value && INDEXED_FIELDS.has(field)) terms.push(`f:${field}=${value}`);
  }
  return terms;
}

/** Whether a row has an index term, without all of them being made. */
export function hasTerm(facts: Facts, term: string): boolean {
  const value = term.slice(2);
  // Neither a label's key nor a field's path has '='.
  const equals = value.indexOf('=');
  const of = (texts: Readonly<Record<string, string>> | undefined) =>
    texts?.[value.slice(0, equals)] === value.slice(equals + 1);
  if (term.startsWith('l:')) return of(facts.labels);
  if (term.startsWith('f:')) return of(facts.fields);
  if (term.startsWith('n:')) return facts.node === value;
  return (term.startsWith('o:') ? facts.owners : facts.refs)?.includes(value) ?? false;
}

/** The index term that every selected row has; null when the selection must be tested row by row. */
export function selectiveTerm(select: Selection | undefined): string | null {
  for (const f of select?.fields ?? []) {
    if (f.op === '=' && f.value !== '' && INDEXED_FIELDS.has(f.field)) return `f:${f.field}=${f.value}`;
  }
  for (const l of select?.labels ?? []) if (l.op === 'In' && l.values.length === 1) return `l:${l.key}=${l.values[0]}`;
  return null;
}

const INSERT = 'INSERT OR IGNORE INTO facts (term, key) VALUES (?, ?)';
const DELETE = 'DELETE FROM facts WHERE term = ? AND key = ?';
/** More terms than this are one call into SQLite, which costs as much as some rows. */
const FEW = 3;
const INSERT_ALL = 'INSERT OR IGNORE INTO facts (term, key) SELECT value ->> 0, value ->> 1 FROM json_each(?)';
const DELETE_ALL = 'DELETE FROM facts WHERE (term, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))';

/**
 * What the writes of one transaction change of the index: of each row only what it was before all of them and is after. Terms that aren't indexed any more go too: a release
 * before has written some.
 */
export class TermWrites {
  readonly #rows = new Map<Key, { was: string[]; is: string[] }>();

  note(key: Key, prev: Facts | undefined, next: Facts | undefined): void {
    const row = this.#rows.get(key);
    const is = next ? termsOf(next) : [];
    if (row) row.is = is;
    else this.#rows.set(key, { was: prev ? termsOf(prev) : [], is });
  }

  /** How what isn't written yet changes who has a term: true where some row will, else the rows that won't any more. */
  will(term: string): true | Key[] {
    const lost: Key[] = [];
    for (const [key, { was, is }] of this.#rows) {
      if (is.includes(term) && isIndexed(key, term)) return true;
      if (was.includes(term)) lost.push(key);
    }
    return lost;
  }

  /** Writes the differences; most updates have none. */
  write(sql: Sql): void {
    const gone: [string, Key][] = [];
    const come: [string, Key][] = [];
    for (const [key, { was, is }] of this.#rows) {
      for (const term of was) if (!is.includes(term)) gone.push([term, key]);
      for (const term of is) if (!was.includes(term) && isIndexed(key, term)) come.push([term, key]);
    }
    each(sql, gone, DELETE, DELETE_ALL);
    each(sql, come, INSERT, INSERT_ALL);
  }
}

function each(sql: Sql, rows: readonly [string, Key][], one: string, all: string): void {
  if (rows.length > FEW) sql.run(all, JSON.stringify(rows));
  else for (const [term, key] of rows) sql.run(one, term, key);
}

/** Writes the difference between two states of a row's index. */
export function indexFacts(sql: Sql, key: Key, prev: Facts | undefined, next: Facts | undefined): void {
  const writes = new TermWrites();
  writes.note(key, prev, next);
  writes.write(sql);
}
