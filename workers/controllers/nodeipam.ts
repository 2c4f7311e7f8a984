import { kindByStorage } from '../../kube/kinds/index.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Plan, View } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { POD_RANGE } from '../../kube/wire/clusteraddresses.ts';
import { needKind } from './kind.ts';
import { NODE_MOVES } from './nodelifecycle.ts';
import { EVENTS } from './owning.ts';

const nodes = needKind(kindByStorage, 'nodes');
/** Addresses of a /24. */
const NODE_ADDRESSES = 256;

/** Gives each Node without a pod range the first /24 that is free, once and for all: upstream's range allocator (pkg/controller/nodeipam/ipam). */
export const nodeipam: Controller = {
  name: 'node-ipam-controller',
  rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'patch'] }, EVENTS],
  for: nodes,
  roots: NODE_MOVES,
  watches: [{ kind: nodes, where: { wakes: 'never' }, map: () => [] }],
  reconcile(key, node, view): Plan {
    const given = givenIn(view);
    if (node === undefined || rangesOf(node).length > 0) {
      given.delete(key);
      return { writes: [] };
    }
    const range = given.get(key) ?? firstFree(view, given);
    if (range === undefined) {
      const message = `Node ${parseKey(key).name} status is now: CIDRNotAvailable`;
      return { writes: [], notes: [{ on: key, type: 'Normal', reason: 'CIDRNotAvailable', message }] };
    }
    given.set(key, range);
    const patch = { spec: { podCIDR: range, podCIDRs: [range] } };
    return { writes: [{ do: 'patch', key, type: 'merge', patch }] };
  },
};

const rangesOf = (node: JsonObject | KubeObject): string[] =>
  (at(node as KubeObject, 'spec.podCIDRs') ?? []) as string[];

/** Ranges that were given and aren't in the rows yet. A loop that begins anew has rows that hold them all. */
function givenIn(view: View): Map<Key, string> {
  const given = (view.memory.get('given') ?? new Map()) as Map<Key, string>;
  view.memory.set('given', given);
  return given;
}

function firstFree(view: View, given: ReadonlyMap<Key, string>): string | undefined {
  const taken = new Set<number>();
  const take = (range: string) => {
    const span = spanOf(range);
    if (span) for (let n = span.first; n <= span.last; n++) taken.add(n);
  };
  for (const row of view.list('nodes')) for (const range of rangesOf(row.data)) take(range);
  for (const range of given.values()) take(range);
  for (let n = 0; n < POD_RANGE.nodes; n++) if (!taken.has(n)) return `${textOf(BASE + n * NODE_ADDRESSES)}/24`;
  return undefined;
}

const numberOf = (ip: string): number => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);
const textOf = (n: number): string => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
const BASE = numberOf(POD_RANGE.first);

/** Which of our /24s a range of any size touches; undefined: none, or of the other family. */
function spanOf(range: string): { first: number; last: number } | undefined {
  const [ip = '', bits = '32'] = range.split('/');
  if (ip.includes(':')) return undefined;
  const size = 2 ** (32 - Number(bits));
  const start = Math.floor(numberOf(ip) / size) * size;
  const first = Math.max(0, Math.floor((start - BASE) / NODE_ADDRESSES));
  const last = Math.min(POD_RANGE.nodes - 1, Math.floor((start + size - 1 - BASE) / NODE_ADDRESSES));
  return first <= last && start + size > BASE ? { first, last } : undefined;
}
