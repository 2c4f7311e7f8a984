import type { Random } from '../fuzz/random.ts';
import type { Caller, CallOptions, Reply } from './client.ts';
import { COLOURS, KINDS, type Kind, type Op, type Seen, type Told } from './history.ts';
import { bodyOf, collectionPath, listOf, NAMESPACES, objectPath, patchOf, SWEPT, seenOf, statusOf } from './shape.ts';

/** What all clients of a run share. */
export interface Scene {
  /** Counts everything that happens, in order. */
  tick(): number;
  ops: Op[];
  counts: { done: number; unknown: number; full: number; refused: number; unsent: number };
  /** Waits while the server is down. */
  ready(): Promise<void>;
  over(): boolean;
}

/** A cluster under test, and what its clients believe of it. */
export interface Target {
  index: number;
  call: Caller;
  known: Map<string, Seen | null>;
  /** Revisions that were shown, by kind: some old, some new. */
  revisions: Record<Kind, number[]>;
}

const NAMES = 20;
const SWEPT_NAMES = 6;
/** Revisions remembered for reads of the past. */
const REVISIONS_MAX = 400;
/** Of those, the first that are never replaced: they leave history some day. */
const REVISIONS_KEPT = 100;
const MAIN_SHARE = 0.75;
/** After an answer without effect: the server is down or full. */
const PAUSE_MS = 60;

type Asked = Op['ask'];
/** What is one call. */
type One = Exclude<Asked, { do: 'list' }>;
type Answered = Exclude<Reply, { lost: string }>;
/** Verbs and how often. */
const MIX: readonly [Asked['do'] | 'page' | 'past', number][] = [
  ['get', 16],
  ['create', 14],
  ['update', 26],
  ['patch', 18],
  ['delete', 12],
  ['list', 5],
  ['page', 3],
  ['past', 3],
  ['sweep', 1],
];
const VERBS = MIX.flatMap(([verb, weight]) => Array<typeof verb>(weight).fill(verb));

/** One client: an operation after the other until the run is over. */
export async function client(scene: Scene, targets: readonly Target[], random: Random, name: string): Promise<void> {
  const [first = random.pick(targets)] = targets;
  for (let n = 0; !scene.over(); n++) {
    await scene.ready();
    // Most of it in one cluster, so that its history outgrows the replay window and is compacted.
    const target = random.chance(MAIN_SHARE) ? first : random.pick(targets);
    const kind = random.pick(KINDS);
    const id = `${name}-${n}`;
    const ask = choose(target, kind, random);
    const start = scene.tick();
    const told = await perform(target, kind, id, ask);
    if (told === null) {
      // Nothing was sent, or nothing read: no operation.
      scene.counts.unsent++;
      await pause();
      continue;
    }
    const end = scene.tick();
    const asked = told.is === 'expired' && told.at !== undefined && ask.do === 'list' ? { ...ask, at: told.at } : ask;
    scene.ops.push({ id, cluster: target.index, kind, start, end, ask: asked, told });
    learn(target, kind, ask, id, told);
    if (told.is === 'unknown' && told.code === 507) scene.counts.full++;
    if (told.is === 'unknown') scene.counts.unknown++;
    else if (told.is === 'refused') scene.counts.refused++;
    else scene.counts.done++;
    if (told.is === 'unknown' || told.is === 'refused') await pause();
  }
}
const pause = () => new Promise((next) => setTimeout(next, PAUSE_MS));

function choose(t: Target, kind: Kind, random: Random): Asked {
  const verb = random.pick(VERBS);
  const ns = random.chance(0.1) ? SWEPT : random.pick(NAMESPACES);
  const names = ns === SWEPT ? SWEPT_NAMES : NAMES;
  const many = random.chance(0.3) ? '' : ns;
  if (verb === 'list') return { do: 'list', ns: many };
  if (verb === 'page') return { do: 'list', ns: many, limit: 3 + random.below(20) };
  if (verb === 'past') {
    const known = t.revisions[kind];
    return known.length === 0 ? { do: 'list', ns } : { do: 'list', ns: many, at: random.pick(known) };
  }
  if (verb === 'sweep') return { do: 'sweep', ns: SWEPT, colour: random.pick(COLOURS) };
  const pick = () => `${ns}/x${random.below(names)}`;
  let key = pick();
  // Mostly what makes sense: a creation where nothing is known to stand, else something that does.
  const stands = () => (t.known.get(`${kind}/${key}`) ?? null) !== null;
  for (let i = 0; i < 4 && stands() === (verb === 'create') && random.chance(0.8); i++) key = pick();
  if (verb === 'create' || verb === 'get') return { do: verb, key };
  const rev = t.known.get(`${kind}/${key}`)?.rev;
  if (rev !== undefined && random.chance(0.6)) return { do: verb, key, expect: rev };
  // Leases are updated at a known version only.
  return verb === 'update' && kind === 'leases' ? { do: 'patch', key } : { do: verb, key };
}

/** What an answer says of one object; null when there is none and nothing can have come of the call. */
type Answer = Told & { at?: number };
async function perform(t: Target, kind: Kind, id: string, ask: Asked): Promise<Answer | null> {
  if (ask.do === 'list') return list(t, kind, ask);
  const reply = await t.call(callOf(kind, id, ask));
  if ('lost' in reply) return reply.sent && ask.do !== 'get' ? { is: 'unknown', why: reply.lost } : null;
  return judge(kind, id, ask, reply);
}

function callOf(kind: Kind, id: string, ask: One): CallOptions {
  if (ask.do === 'sweep')
    return { method: 'DELETE', path: `${collectionPath(kind, ask.ns)}?labelSelector=colour%3D${ask.colour}` };
  const path = objectPath(kind, ask.key);
  if (ask.do === 'get') return { method: 'GET', path };
  if (ask.do === 'create')
    return { method: 'POST', path: path.slice(0, path.lastIndexOf('/')), body: bodyOf(kind, ask.key, id) };
  if (ask.do === 'update') return { method: 'PUT', path, body: bodyOf(kind, ask.key, id, ask.expect) };
  if (ask.do === 'patch')
    return { method: 'PATCH', path, body: patchOf(id, ask.expect), type: 'application/merge-patch+json' };
  if (!('expect' in ask) || ask.expect === undefined) return { method: 'DELETE', path };
  const preconditions = { resourceVersion: String(ask.expect) };
  return { method: 'DELETE', path, body: { kind: 'DeleteOptions', apiVersion: 'v1', preconditions } };
}

function judge(kind: Kind, id: string, ask: One, { status, body }: Answered): Answer | null {
  const { reason, message, kind: about } = statusOf(body);
  const why = `${status} ${reason} ${message}`;
  if (status === 200 || status === 201) return success(kind, id, ask, body);
  // Half of a sweep may be done when it is refused; what a full disk refuses may have been written.
  if (status === 429) return ask.do === 'sweep' ? { is: 'unknown', why } : { is: 'refused', code: status };
  if (status >= 500) return ask.do === 'get' ? null : { is: 'unknown', why, code: status };
  if (ask.do === 'sweep') return { is: 'wrong', why };
  if (status === 404 && about === kind && ask.do !== 'create') return { is: 'none' };
  if (status === 409 && ask.do === 'create' && reason === 'AlreadyExists') return { is: 'exists' };
  if (status === 409 && ask.do !== 'create' && ask.do !== 'get') return { is: 'conflict' };
  return { is: 'wrong', why };
}

function success(kind: Kind, id: string, ask: One, body: Answered['body']): Answer {
  if (ask.do === 'delete') return { is: 'done' };
  if (ask.do === 'sweep') {
    const found = listOf(kind, body);
    return typeof found === 'string' ? { is: 'wrong', why: found } : { is: 'list', rev: found.rev, items: found.items };
  }
  const shown = seenOf(kind, body);
  if (shown === null) return { is: 'wrong', why: 'the answer shows another object' };
  if (typeof shown === 'string') return { is: 'wrong', why: shown };
  const [key, seen] = shown;
  if (key !== ask.key) return { is: 'wrong', why: `the answer shows ${key}` };
  if (ask.do === 'get') return { is: 'seen', seen };
  return seen.w === id ? { is: 'done', rev: seen.rev } : { is: 'wrong', why: `the answer shows the write ${seen.w}` };
}

/** A list, whole, in pages, or of the past. */
async function list(t: Target, kind: Kind, ask: Asked & { do: 'list' }): Promise<Answer | null> {
  const items: [string, Seen][] = [];
  let rev = 0;
  let next = '';
  do {
    const query = new URLSearchParams();
    if (ask.at !== undefined) {
      query.set('resourceVersion', String(ask.at));
      query.set('resourceVersionMatch', 'Exact');
    }
    if (ask.limit !== undefined) query.set('limit', String(ask.limit));
    if (next !== '') query.set('continue', next);
    const reply = await t.call({ method: 'GET', path: `${collectionPath(kind, ask.ns)}?${query}` });
    if ('lost' in reply) return null;
    const { message, reason } = statusOf(reply.body);
    if (message.includes('Too large resource version')) return { is: 'wrong', why: message };
    if (reply.status === 410) return { is: 'expired', ...(rev === 0 ? {} : { at: rev }) };
    if (reply.status >= 500 || reply.status === 429) return null;
    if (reply.status !== 200) return { is: 'wrong', why: `${reply.status} ${reason} ${message}` };
    const page = listOf(kind, reply.body);
    if (typeof page === 'string') return { is: 'wrong', why: page };
    if (rev !== 0 && page.rev !== rev) return { is: 'wrong', why: `pages of revisions ${rev} and ${page.rev}` };
    rev = page.rev;
    items.push(...page.items);
    next = page.next;
  } while (next !== '');
  return { is: 'list', rev, items };
}

function learn(t: Target, kind: Kind, ask: Asked, id: string, told: Told): void {
  const note = (rev: number) => {
    const known = t.revisions[kind];
    if (known.length < REVISIONS_MAX) known.push(rev);
    else known[REVISIONS_KEPT + (rev % (REVISIONS_MAX - REVISIONS_KEPT))] = rev;
  };
  const set = (key: string, seen: Seen | null) => t.known.set(`${kind}/${key}`, seen);
  if (told.is === 'list') {
    note(told.rev);
    for (const [key, seen] of told.items) set(key, ask.do === 'sweep' ? null : seen);
  }
  if (!('key' in ask)) return;
  if (told.is === 'seen') set(ask.key, told.seen);
  if (told.is === 'none' || told.is === 'exists' || told.is === 'conflict') t.known.delete(`${kind}/${ask.key}`);
  if (told.is !== 'done') return;
  if (told.rev === undefined) set(ask.key, null);
  else {
    note(told.rev);
    set(ask.key, { rev: told.rev, w: id, v: id, p: '' });
  }
}
