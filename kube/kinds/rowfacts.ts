import type { Facts } from '../meta/facts.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Kind } from './kind.ts';

/** What the store shall know of an object, which is in its storage version. */
export function rowFacts(kind: Pick<Kind, 'fields' | 'facts'>, object: KubeObject): Facts {
  const { metadata } = object;
  const facts: Facts = { uid: metadata.uid ?? '' };
  if (metadata.labels) facts.labels = metadata.labels;
  if (kind.fields) {
    const texts: Record<string, string> = {};
    for (const name in kind.fields) texts[name] = kind.fields[name]?.(object) ?? '';
    facts.fields = texts;
  }
  const owners = metadata.ownerReferences;
  if (owners && owners.length > 0) facts.owners = owners.map((o) => o.uid);
  if (metadata.deletionTimestamp !== undefined) facts.terminating = true;
  const more = kind.facts?.(object);
  if (more) Object.assign(facts, more);
  return facts;
}
