import type { Ask, Seen, Told } from './history.ts';
import type { Model } from './linear.ts';

/** An operation on one object, as the model takes it. */
export interface KeyOp {
  id: string;
  kind: string;
  ask: Ask | { do: 'drop' };
  told: Told;
  /** Of a write of unknown outcome: the revision at which it was seen to have taken effect. */
  rev?: number;
}

/** One object: what stands, and a revision below all that are to come. */
export interface Register {
  floor: number;
  /** `rev` 0: written by one whose outcome nobody learned. */
  now: Seen | null;
}

/** How one object behaves under the API's verbs. */
export const register: Model<Register, KeyOp> = {
  start: { floor: 0, now: null },
  print: ({ floor, now }) => (now ? `${now.rev} ${now.w} ${floor}` : `- ${floor}`),
  step(state, op) {
    const { told } = op;
    if (told.is === 'refused' || told.is === 'wrong' || told.is === 'expired') return state;
    if (told.is === 'done' || told.is === 'unknown') return written(state, op);
    const { now } = state;
    if (told.is === 'none') return now === null ? state : undefined;
    if (told.is === 'exists') return now !== null ? state : undefined;
    if (told.is === 'conflict') return conflicts(state, op) ? state : undefined;
    return told.is === 'seen' ? shown(state, told.seen) : state;
  },
};

function written(state: Register, op: KeyOp): Register | undefined {
  const { ask, told, id } = op;
  const { now } = state;
  const rev = (told.is === 'done' ? told.rev : op.rev) ?? 0;
  if (rev !== 0 && rev <= state.floor) return undefined;
  const floor = Math.max(state.floor, rev);
  const meets = 'expect' in ask && ask.expect !== undefined ? now !== null && hasRevision(state, ask.expect) : true;
  switch (ask.do) {
    case 'create':
      return now === null ? { floor, now: { rev, w: id, v: id, p: '' } } : undefined;
    case 'update':
      // Leases may be created by an update (upstream's AllowCreateOnUpdate).
      if (now === null ? op.kind !== 'leases' : !meets) return undefined;
      return { floor, now: { rev, w: id, v: id, p: '' } };
    case 'patch':
      return now !== null && meets ? { floor, now: { rev, w: id, v: now.v, p: id } } : undefined;
    case 'delete':
      return now !== null && meets ? { floor, now: null } : undefined;
    case 'drop':
      return { floor, now: null };
    default:
      return state;
  }
}

const hasRevision = ({ floor, now }: Register, rev: number): boolean =>
  now !== null && (now.rev === 0 ? rev > floor : now.rev === rev);

/** A conflict says that an object stood at another revision than expected; one without an expectation says nothing. */
function conflicts({ now }: Register, { ask }: KeyOp): boolean {
  if (!('expect' in ask) || ask.expect === undefined) return true;
  return now !== null && (now.rev === 0 || now.rev !== ask.expect);
}

function shown({ floor, now }: Register, seen: Seen): Register | undefined {
  if (!now || now.w !== seen.w || now.v !== seen.v || now.p !== seen.p) return undefined;
  if (now.rev === seen.rev) return { floor, now };
  // An unknown write is pinned to its revision by whoever sees it first.
  return now.rev === 0 && seen.rev > floor ? { floor: seen.rev, now: { ...now, rev: seen.rev } } : undefined;
}
