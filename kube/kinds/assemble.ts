import type { Facts } from '../meta/facts.ts';
import { groupResource, type KubeObject } from '../meta/object.ts';
import type { SchemaRef } from '../schema/schema.ts';
import { type Behaviour, statusOf, strategy } from './behaviour.ts';
import { DEFAULT_COLUMNS } from './columns/column.ts';
import type { Kind, Subresource, WriteSubresource } from './kind.ts';
import { policyOf } from './policy.ts';

/** One resource of the table: what discovery lists of it, and where its shape is. */
export interface Row {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  scope: 'Namespaced' | 'Cluster';
  verbs: readonly string[];
  short?: readonly string[];
  categories?: readonly string[];
  struct: string;
  subresources?: readonly { name: string; ref: SchemaRef; verbs: readonly string[] }[];
}

/** Streams through the node; every other subresource with create alone is an action. */
const CONNECT = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

/**
 * A kind of its rows (storage version first) and its behaviour. Everything that no file says has a generic form: Name and Created At,
 * a status subresource that changes nothing else, metadata's validation.
 */
export function assemble(rows: readonly Row[], behaviour: Behaviour = {}): Kind {
  const [row] = rows;
  if (!row) throw new Error('a kind needs at least one row');
  const resource = groupResource(row.group, row.plural);
  const subresources = subresourcesOf(row, behaviour);
  const { prepare, validate } = strategy(behaviour, row.scope, subresources.status !== undefined);
  const { name, counts, dropsStatus: _d, validatesNameOnUpdate: _v, allocate: _a, facts, ...own } = behaviour;
  return {
    ...own,
    served: rows.map(({ group, version, kind, struct }) => ({ group, version, kind, struct })),
    kind: row.kind,
    plural: row.plural,
    singular: row.singular,
    ...(row.short?.length ? { short: row.short } : {}),
    ...(row.categories?.length ? { categories: row.categories } : {}),
    scope: row.scope,
    verbs: row.verbs,
    ...(name ? { name: (n: string, prefix: boolean) => [...name(n, prefix)] } : {}),
    ...(counts ? { generation: true } : {}),
    prepare,
    validate,
    columns: behaviour.columns ?? DEFAULT_COLUMNS,
    subresources,
    facts: (o: KubeObject) => withPolicy(facts?.(o) ?? {}, policyOf(resource, o)),
  };
}
function withPolicy(
  facts: Pick<Facts, 'node' | 'refs' | 'generation' | 'standing'>,
  policy: string | undefined,
): Pick<Facts, 'node' | 'refs' | 'generation' | 'standing' | 'policy'> {
  return policy === undefined ? facts : { ...facts, policy };
}

function subresourcesOf(row: Row, b: Behaviour): Record<string, Subresource> {
  const out: Record<string, Subresource> = {};
  for (const s of row.subresources ?? []) {
    const own = b.subresources?.[s.name];
    if (own) out[s.name] = own.is === 'view' ? { ...own, verbs: s.verbs as WriteSubresource['verbs'] } : own;
    else if (s.name === 'status') out.status = { ...statusOf(row.scope), verbs: s.verbs as WriteSubresource['verbs'] };
    else if (CONNECT.has(s.name)) out[s.name] = { is: 'connect', ref: s.ref, verbs: s.verbs };
    else if (s.verbs.length === 1 && s.verbs[0] === 'create')
      out[s.name] = { is: 'action', ref: s.ref, verbs: ['create'] };
    else out[s.name] = { is: 'view', verbs: s.verbs as WriteSubresource['verbs'] };
  }
  return out;
}
