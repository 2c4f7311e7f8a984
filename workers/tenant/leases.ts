import type { Grant } from '../../kube/store/store.ts';
import type { State } from './state.ts';

const PUT = `INSERT INTO leases (name, holder, epoch, expires) VALUES (?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, expires = excluded.expires`;

/** Grants or renews a lease: its holder keeps the epoch, the next one after it gets a higher one. */
export function grant(s: State, lease: string, holder: string, ttlMs: number): Grant {
  const now = s.env.now();
  const held = find(s, lease);
  if (held && held.holder !== holder && held.expiresMs > now) return { held: false, ...held };
  const epoch = !held ? 1 : held.holder === holder ? held.epoch : held.epoch + 1;
  const next = { holder, epoch, expiresMs: now + ttlMs };
  s.sql.run(PUT, lease, holder, epoch, next.expiresMs);
  return { held: true, ...next };
}

/** Gives a lease back; its row stays, so that epochs never fall. */
export function release(s: State, lease: string, holder: string): void {
  const held = find(s, lease);
  if (held?.holder === holder) s.sql.run(PUT, lease, '', held.epoch, 0);
}

function find(s: State, lease: string): { holder: string; epoch: number; expiresMs: number } | null {
  const [row] = s.sql.all('SELECT holder, epoch, expires FROM leases WHERE name = ?', lease);
  return row ? { holder: String(row[0]), epoch: Number(row[1]), expiresMs: Number(row[2]) } : null;
}
