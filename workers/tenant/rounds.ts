import type { Grant, Revision } from '../../kube/store/store.ts';
import { lend, release, takeBack } from './leases.ts';
import { type Changes, changesOf, type Outbox } from './outbox.ts';
import type { State } from './state.ts';

/** A loop asks for its lease and for what changed, in one call. */
export interface Begin {
  loop: string;
  lease: string;
  holder: string;
  ttlMs: number;
  /** Who this replica was in an earlier life, if it was: what that one holds is given back. */
  former?: string;
  /** JSON of what it looks at; the answer says whether it is woken for that. */
  interests: string;
  /** Its cursor; 0 = nothing read yet. */
  after: Revision;
}
export interface Begun {
  grant: Grant;
  /** Something waits for the loop, whoever does it. */
  marked: boolean;
  /** False: register, then ask again. */
  registered: boolean;
  /** Where the lease is held, the loop is registered, and its cursor isn't 0. */
  changes?: Changes;
}

/** Lends a loop its lease and tells what changed since its cursor. Writes nothing but what a former life held. */
export function startRound(s: State, outbox: Outbox, o: Begin): Begun {
  if (o.former !== undefined) release(s, o.lease, o.former);
  const grant = lend(s, o.lease, o.holder, o.ttlMs);
  if (grant.held) outbox.isAtWork(o.loop);
  const wanted = outbox.registered(o.loop, o.interests);
  const begun: Begun = { grant, marked: outbox.isMarked(o.loop), registered: wanted !== undefined };
  if (grant.held && wanted && o.after > 0) begun.changes = changesOf(s, wanted, outbox.from(o.loop, o.after));
  return begun;
}

/** A loop has seen everything up to `revision` and has nothing left to do: its lease ends. False when more came meanwhile: it keeps the lease and should go on. */
export function endRound(
  s: State,
  outbox: Outbox,
  loop: string,
  lease: string,
  holder: string,
  revision: Revision,
): boolean {
  if (!outbox.cleared(loop, revision)) return false;
  takeBack(s, lease, holder);
  return true;
}
