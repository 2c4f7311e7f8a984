import { readFileSync, writeFileSync } from 'node:fs';
import { fnv1a } from '../../kube/meta/hash.ts';

// What a run recorded. All times are ticks: one process counts everything that it does or learns, so they say what came before what.

/** The kinds under test; each lives in a store object, with revisions, of its own. */
export type Kind = 'configmaps' | 'leases';
export const KINDS: readonly Kind[] = ['configmaps', 'leases'];

/** What was seen of an object. Every write has an id of its own, so contents tell who wrote them. */
export interface Seen {
  rev: number;
  /** The write that made this version. */
  w: string;
  /** The create or update that gave it its contents. */
  v: string;
  /** The patch that was laid over them since; '' = none. */
  p: string;
}

/** What a client asked for; `key` is `namespace/name`. */
export type Ask =
  | { do: 'create'; key: string }
  | { do: 'get'; key: string }
  | { do: 'update'; key: string; expect?: number }
  | { do: 'patch'; key: string; expect?: number }
  | { do: 'delete'; key: string; expect?: number }
  | { do: 'list'; ns: string; limit?: number; at?: number }
  | { do: 'sweep'; ns: string; colour: string };

/** What it was told. */
export type Told =
  /** `rev` is absent where the answer doesn't tell it (a deletion). */
  | { is: 'done'; rev?: number }
  | { is: 'seen'; seen: Seen }
  | { is: 'none' | 'exists' | 'conflict' }
  /** Refused without effect: 429. */
  | { is: 'refused'; code: number }
  | { is: 'unknown'; why: string; code?: number }
  /** A list, or what a sweep (deletecollection) found. */
  | { is: 'list'; rev: number; items: [key: string, seen: Seen][] }
  /** 410. */
  | { is: 'expired' }
  /** What no correct server answers. */
  | { is: 'wrong'; why: string };

/** One operation. */
export interface Op {
  id: string;
  cluster: number;
  kind: Kind;
  start: number;
  /** When the answer had come, or the wait for it was given up. */
  end: number;
  ask: Ask;
  told: Told;
}

/** What a watch asks for: a namespace or all (''), perhaps one name or one colour (a label). */
export interface Scope {
  ns: string;
  name?: string;
  colour?: string;
}

/** What one long-running watcher lived through, in order. */
export type WatchEntry =
  /** It starts from a list, or from what the watch itself sent first. */
  | { is: 'list'; at: number; start: number; rev: number; items: [key: string, seen: Seen][]; streamed?: boolean }
  | { is: 'open'; at: number; after: number }
  | { is: 'event'; at: number; type: 'ADDED' | 'MODIFIED' | 'DELETED'; rev: number; key: string; seen: Seen }
  | { is: 'bookmark'; at: number; rev: number }
  | { is: 'expired'; at: number; after: number }
  | { is: 'wrong'; at: number; why: string };

export interface WatchLog {
  id: string;
  cluster: number;
  kind: Kind;
  scope: Scope;
  entries: WatchEntry[];
}

export interface History {
  seed: number;
  ops: Op[];
  watches: WatchLog[];
}

/** Contents that depend on the write alone, so that a torn one is noticed. */
export const COLOURS = ['red', 'green', 'blue'] as const;
export const colourOf = (v: string): string => COLOURS[fnv1a(v) % COLOURS.length] ?? 'red';
/** Most bodies are small, a few are some 20 KB. */
export const padOf = (v: string): string => {
  const h = fnv1a(`pad${v}`);
  return v.repeat(Math.ceil((h % 64 === 0 ? 20_000 : h % 600) / v.length));
};

export const nsOf = (key: string): string => key.slice(0, key.indexOf('/'));
export const sameSeen = (a: Seen | undefined, b: Seen | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.rev === b.rev && a.w === b.w && a.v === b.v && a.p === b.p);

/** One JSON value a line: the head, operations, then each watcher and its entries. */
export function save(file: string, h: History): void {
  const lines: string[] = [JSON.stringify({ seed: h.seed })];
  for (const op of h.ops) lines.push(JSON.stringify({ op }));
  for (const { entries, ...watch } of h.watches) {
    lines.push(JSON.stringify({ watch }));
    for (const entry of entries) lines.push(JSON.stringify({ entry }));
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
}

type Line = { seed?: number; op?: Op; watch?: Omit<WatchLog, 'entries'>; entry?: WatchEntry };

export function loadHistory(file: string): History {
  const history: History = { seed: 0, ops: [], watches: [] };
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    if (line.seed !== undefined) history.seed = line.seed;
    if (line.op) history.ops.push(line.op);
    if (line.watch) history.watches.push({ ...line.watch, entries: [] });
    if (line.entry) history.watches.at(-1)?.entries.push(line.entry);
  }
  return history;
}
