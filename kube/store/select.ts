import type { Facts } from '../meta/facts.ts';
import type { FieldRequirement } from '../meta/selectors.ts';
import { matchesFields, matchesLabels } from '../meta/selectors.ts';
import { foundByRefs, parseKey } from './key.ts';
import type { Entry, Key, Selection } from './store.ts';

/** True when a row is selected. */
export type Test = (key: Key, facts: Facts) => boolean;

/** A selection as one function of key and facts; null selects everything. metadata.name and metadata.namespace are read from the key. */
export function selectionTest(select: Selection | undefined): Test | null {
  const labels = select?.labels ?? [];
  const fields = select?.fields ?? [];
  if (fields.length === 0) return labels.length === 0 ? null : (_, facts) => matchesLabels(labels, facts.labels);
  const ofKey = fields.filter(isOfKey);
  const ofFacts = fields.filter((f) => !isOfKey(f));
  return (key, facts) =>
    (ofKey.length === 0 || keyMatches(ofKey, key)) &&
    (ofFacts.length === 0 || matchesFields(ofFacts, facts.fields ?? {})) &&
    (labels.length === 0 || matchesLabels(labels, facts.labels));
}

const isOfKey = (f: FieldRequirement) => f.field === 'metadata.name' || f.field === 'metadata.namespace';

function keyMatches(fields: readonly FieldRequirement[], key: Key): boolean {
  const { namespace, name } = parseKey(key);
  return matchesFields(fields, { 'metadata.name': name, 'metadata.namespace': namespace });
}

/** Whether `Store.related` finds a row. */
export function isRelated({ key, facts }: Entry, by: 'owner' | 'node' | 'ref', value: string): boolean {
  if (by === 'node') return facts.node === value;
  return (by === 'owner' ? facts.owners : foundByRefs(key) ? facts.refs : undefined)?.includes(value) ?? false;
}
