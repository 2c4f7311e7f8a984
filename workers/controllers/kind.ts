import type { Kind } from '../../kube/kinds/kind.ts';

/** A kind that this release must have. */
export function needKind(find: (name: string) => Kind | undefined, name: string): Kind {
  const kind = find(name);
  if (kind === undefined) throw new Error(`no kind ${name} in this release`);
  return kind;
}
