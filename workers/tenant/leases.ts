import type { Fence, Grant } from '../../kube/store/store.ts';
import type { State } from './state.ts';

/** For how long a loop takes a lease, in each of the stores that it writes to: longer than its longest budget; a dead holder is replaced after it. */
export const LEASE_MS = 15_000;

const PUT = `INSERT INTO leases (name, holder, epoch, expires) VALUES (?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, expires = excluded.expires`;

export interface Held {
  holder: string;
  epoch: number;
  expiresMs: number;
}

/** Grants or renews a lease: its holder keeps the epoch, the next one after it gets a higher one. */
export function grant(s: State, lease: string, holder: string, ttlMs: number): Grant {
  const next = nextOf(s, lease, holder, ttlMs);
  if (next.held) put(s, lease, next);
  return next;
}

/**
 * As grant(), in memory: the first commit under it writes it, in its own transaction. A grant under which nothing was written can be forgotten: its fence names
 * the holder, so that no later holder of the same epoch is taken for it.
 */
export function lend(s: State, lease: string, holder: string, ttlMs: number): Grant {
  const next = nextOf(s, lease, holder, ttlMs);
  if (next.held) s.lent.set(lease, { holder, epoch: next.epoch, expiresMs: next.expiresMs });
  return next;
}

/** Takes a lease back, in memory: whoever had it gets it again at the same epoch, another at a higher one. */
export function takeBack(s: State, lease: string, holder: string): void {
  const held = find(s, lease);
  if (held?.holder === holder) s.lent.set(lease, { ...held, expiresMs: 0 });
}

/** Gives a lease back; its row stays, so that epochs never fall. */
export function release(s: State, lease: string, holder: string): void {
  const held = find(s, lease);
  if (held?.holder === holder) put(s, lease, { holder: '', epoch: held.epoch, expiresMs: 0 });
}

/** Whether a commit under this fence counts; the lease is written with it. */
export function holds(s: State, fence: Fence, now: number): boolean {
  const held = find(s, fence.lease);
  if (held === null || held.epoch !== fence.epoch || held.expiresMs <= now) return false;
  if (fence.holder !== undefined && fence.holder !== held.holder) return false;
  if (s.lent.has(fence.lease)) put(s, fence.lease, held);
  return true;
}

function nextOf(s: State, lease: string, holder: string, ttlMs: number): Grant {
  const now = s.env.now();
  const held = find(s, lease);
  if (held && held.holder !== holder && held.expiresMs > now) return { held: false, ...held };
  const epoch = !held ? 1 : held.holder === holder ? held.epoch : held.epoch + 1;
  return { held: true, holder, epoch, expiresMs: now + ttlMs };
}

function put(s: State, lease: string, { holder, epoch, expiresMs }: Held): void {
  s.sql.run(PUT, lease, holder, epoch, expiresMs);
  s.lent.delete(lease);
}

function find(s: State, lease: string): Held | null {
  const lent = s.lent.get(lease);
  if (lent) return lent;
  const [row] = s.sql.all('SELECT holder, epoch, expires FROM leases WHERE name = ?', lease);
  return row ? { holder: String(row[0]), epoch: Number(row[1]), expiresMs: Number(row[2]) } : null;
}
