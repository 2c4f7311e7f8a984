import type { Agent } from 'node:https';
import { ask } from './http.ts';

/** What a writer knows of one object: its last certain state, and what a write of unknown outcome may have made of it. */
interface Known {
  /** null = not there. */
  seq: number | null;
  revision: string;
  /** null = it may be deleted. */
  maybe: (number | null)[];
  /** What was possible and hadn't happened when it was read: it may yet, until the next write is acknowledged. */
  late: (number | null)[];
}

/** A cluster as the load sees it. */
export interface Target {
  name: string;
  /** `/clusters/<id>` */
  path: string;
  token: string;
}

/** What a writer counts and finds. */
export interface Record {
  acknowledged: number;
  /** Answers of an open outcome, and connections that broke. */
  unknown: number;
  /** Other refusals than a lost race. */
  refused: number;
  /** Revisions of acknowledged creates and patches. */
  revisions: number[];
  known: Map<string, Known>;
  violations: string[];
}

const OBJECTS = 6;
/** What no instance may say to these requests: with such answers the load would go on without writing anything. */
const WRONG = new Set([401, 403, 405, 415, 422]);
const PAUSE_MS = 60;
/** After an error: as a client library would. */
const AGAIN_MS = 300;

/**
 * One sequential client: creates, patches and deletes ConfigMaps of its own, each write conditional on what it knows, so that a write of unknown
 * outcome can't take effect after a later one was acknowledged. Each request goes to the next instance that may be used.
 */
export async function write(
  id: string,
  target: Target,
  agent: Agent,
  instances: () => readonly string[],
  random: () => number,
  stop: AbortSignal,
): Promise<Record> {
  const record: Record = { acknowledged: 0, unknown: 0, refused: 0, revisions: [], known: new Map(), violations: [] };
  const base = `${target.path}/api/v1/namespaces/default/configmaps`;
  const send = (method: string, path: string, body?: unknown, contentType?: string) => {
    const some = instances();
    const url = some[Math.floor(random() * some.length)];
    if (url === undefined) return Promise.reject(new Error('no instance'));
    return ask(agent, method, url + path, { token: target.token, body, contentType });
  };
  let seq = 0;
  while (!stop.aborted) {
    const name = `${id}-${Math.floor(random() * OBJECTS)}`;
    const known = record.known.get(name) ?? { seq: null, revision: '', maybe: [], late: [] };
    record.known.set(name, known);
    if (known.maybe.length > 0) await settle(name, known);
    else await step(name, known);
    await pause(PAUSE_MS * (0.5 + random()));
  }
  return record;

  async function step(name: string, known: Known): Promise<void> {
    const next = known.seq !== null && random() < 0.15 ? null : ++seq;
    let answer: Awaited<ReturnType<typeof send>>;
    try {
      if (known.seq === null) answer = await send('POST', base, object(name, next));
      else if (next === null)
        answer = await send('DELETE', `${base}/${name}`, {
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          preconditions: { resourceVersion: known.revision },
        });
      else
        answer = await send(
          'PATCH',
          `${base}/${name}`,
          { metadata: { resourceVersion: known.revision }, data: { seq: String(next) } },
          'application/merge-patch+json',
        );
    } catch {
      answer = { code: 0, body: {} };
    }
    if (answer.code === 200 || answer.code === 201) {
      record.acknowledged++;
      Object.assign(known, { seq: next, revision: next === null ? '' : revisionOf(answer.body), late: [] });
      if (next !== null) record.revisions.push(Number(known.revision));
      return;
    }
    if (WRONG.has(answer.code))
      record.violations.push(`${target.name} ${name}: ${answer.code} ${String(answer.body.message)}`);
    if (answer.code === 429) record.refused++;
    else {
      // Not known: also a lost race, which a repeated call of ours may have made against itself.
      record.unknown++;
      known.maybe.push(next);
    }
    await pause(AGAIN_MS);
  }

  /** Reads until an answer comes: it must be what was certain or what may be. */
  async function settle(name: string, known: Known): Promise<void> {
    const answer = await send('GET', `${base}/${name}`).catch(() => null);
    if (answer?.code !== 200 && answer?.code !== 404) return pause(AGAIN_MS);
    const found = answer.code === 404 ? null : seqOf(answer.body);
    const possible = [...known.maybe, ...known.late];
    if (found === known.seq) known.late = possible;
    else {
      if (!possible.includes(found))
        record.violations.push(
          `${target.name} ${name}: ${found} was read, ${known.seq} was certain, ${possible} possible`,
        );
      Object.assign(known, { seq: found, revision: revisionOf(answer.body), late: [] });
    }
    known.maybe = [];
  }
}

/** What the cluster holds in the end must be what each writer knows. */
export function compare(target: Target, record: Record, items: readonly { name: string; seq: number }[]): string[] {
  const found = new Map(items.map((i) => [i.name, i.seq]));
  const out: string[] = [];
  for (const [name, known] of record.known) {
    const seq = found.get(name) ?? null;
    if (seq !== known.seq && ![...known.maybe, ...known.late].includes(seq))
      out.push(
        `${target.name} ${name}: ${seq} is there, ${known.seq} was acknowledged${known.maybe.length > 0 ? `, ${known.maybe} possible` : ''}`,
      );
  }
  return out;
}

/** Revisions that two acknowledged writes of a cluster share. */
export function reused(records: readonly Record[]): number[] {
  const seen = new Set<number>();
  const twice: number[] = [];
  for (const r of records)
    for (const revision of r.revisions) {
      if (seen.has(revision)) twice.push(revision);
      seen.add(revision);
    }
  return twice;
}

const object = (name: string, seq: number | null) => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { name },
  data: { seq: String(seq), filler: 'x'.repeat(500) },
});
const revisionOf = (body: { metadata?: unknown }): string =>
  (body.metadata as { resourceVersion?: string } | undefined)?.resourceVersion ?? '';
export const seqOf = (body: { data?: unknown }): number =>
  Number((body.data as { seq?: string } | undefined)?.seq ?? Number.NaN);
const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
