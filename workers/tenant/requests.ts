import { type Commit, REQUEST_MEMORY_MS } from '../../kube/store/store.ts';
import { cell, kept, type Sql } from './sql.ts';

type Won = Commit & { ok: true };

/** Of a commit of one put, the most frequent, its revision tells all. */
type Answer = number | Won;

const KEEP = 'INSERT INTO answers (at, answers) VALUES (?, ?)';
const FORGET =
  'DELETE FROM answers WHERE seq IN (SELECT seq FROM answers WHERE at <= ? ORDER BY seq LIMIT 64) RETURNING 1';
/** Between two looks for rows to forget: the table then holds at most that much more. */
const FORGET_EVERY_MS = 1_000;

/**
 * Which requests have been answered with what. Those of this life of the object are in memory; what earlier ones answered is in the tables, one row for
 * each group of commits, and is looked through only for a request that says that it is a repeat: a call that reaches a new life was sent to it.
 */
export class Requests {
  readonly #sql: Sql;
  readonly #answers = new Map<string, Answer>();
  /** Since when: groups in order, with how many ids each has in the map. */
  #groups: { atMs: number; count: number }[] = [];
  /** Of the transaction that runs. */
  #fresh: [string, Answer][] = [];
  #forgetMs = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What a request was answered before, null if it wasn't, or not within REQUEST_MEMORY_MS. */
  find(id: string, repeat: boolean, nowMs: number): Won | null {
    this.#expire(nowMs - REQUEST_MEMORY_MS);
    const known = this.#answers.get(id) ?? (repeat ? this.#earlier(id, nowMs - REQUEST_MEMORY_MS) : undefined);
    if (known === undefined) return null;
    if (typeof known === 'number') return { ok: true, revision: known, revisions: [known], repeated: true };
    const commit = { ...known, repeated: true };
    if (commit.claimed) commit.claimed = commit.claimed.map((c) => c ?? undefined);
    return commit;
  }

  /** A commit of the running transaction has won. */
  note(id: string, commit: Won): void {
    const single = commit.revisions.length === 1 && commit.revisions[0] === commit.revision && !commit.claimed;
    const answer = single ? commit.revision : commit;
    this.#answers.set(id, answer);
    this.#fresh.push([id, answer]);
  }

  /** In the transaction, at its end: writes what it answered, forgets what is old. */
  keep(nowMs: number): void {
    if (this.#fresh.length > 0) {
      this.#sql.run(KEEP, nowMs, JSON.stringify(this.#fresh));
      this.#groups.push({ atMs: nowMs, count: this.#fresh.length });
      this.#fresh = [];
    }
    if (nowMs < this.#forgetMs) return;
    // Again with the next group while rows are left.
    if (this.#sql.all(FORGET, nowMs - REQUEST_MEMORY_MS).length === 0) this.#forgetMs = nowMs + FORGET_EVERY_MS;
  }

  /** Forgets what was answered until then: groups are in order of time, and ids in that of groups. */
  #expire(untilMs: number): void {
    let first = this.#groups[0];
    while (first !== undefined && first.atMs <= untilMs) {
      for (const id of this.#answers.keys()) {
        if (first.count-- === 0) break;
        this.#answers.delete(id);
      }
      this.#groups.shift();
      first = this.#groups[0];
    }
  }

  /** One row of a group is some KB; two minutes of the fastest writing are 15 MB, which takes SQLite 10 ms. */
  #earlier(id: string, afterMs: number): Answer | undefined {
    const group = cell(
      this.#sql,
      'SELECT answers FROM answers WHERE at > ? AND instr(answers, ?) > 0',
      afterMs,
      `["${id}",`,
    );
    if (typeof group === 'string') return kept<[string, Answer][]>(group, 'an answer').find(([x]) => x === id)?.[1];
    // Of the release before.
    const answer = cell(this.#sql, 'SELECT answer FROM requests WHERE id = ? AND at > ?', id, afterMs);
    return typeof answer === 'string' ? kept<Won>(answer, 'an answer') : undefined;
  }
}
