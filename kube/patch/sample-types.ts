import type { Field, Struct, Type } from '../schema/schema.ts';
import { schemas } from '../schema/schemas.ts';

// Shapes of CustomResources that tests and benchmarks share: the Widget of tools/patch-vectors/cases/widget.json, and a kind without schema.

const string: Type = { is: 'string' };
const integer: Type = { is: 'integer', bits: 64 };

/** A struct of a CustomResource from its fields' types; a pair gives a default too. */
export function structOf(name: string, types: Record<string, Type | [Type, string]>, open = false): Struct {
  const fields = new Map<string, Field>();
  for (const [field, type] of Object.entries(types)) {
    if (Array.isArray(type)) fields.set(field, { name: field, number: 0, type: type[0], default: type[1] });
    else fields.set(field, { name: field, number: 0, type });
  }
  return { name, fields, numbers: new Map(), ...(open ? { open } : {}) };
}

const struct = (s: Struct): Type => ({ is: 'struct', struct: () => s });

const metadata: Type = {
  is: 'struct',
  struct: () => {
    const meta = schemas.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
    if (meta === undefined) throw new Error('no ObjectMeta');
    return meta;
  },
};

const port = structOf('port', { port: integer, protocol: [string, 'TCP'], name: string });
const part = structOf('part', {
  name: string,
  value: string,
  inner: struct(structOf('inner', { x: integer, yy: integer })),
  ports: { is: 'list', list: 'map', keys: ['port', 'protocol'], items: struct(port) },
});

/** A CustomResource with every topology. */
export const widget: Struct = structOf('Widget', {
  apiVersion: string,
  kind: string,
  metadata,
  spec: struct(
    structOf('spec', {
      size: integer,
      color: string,
      flag: { is: 'boolean' },
      any: { is: 'any' },
      free: struct(structOf('free', { known: string }, true)),
      tags: { is: 'list', list: 'set', items: string },
      numbers: { is: 'list', list: 'set', items: integer },
      steps: { is: 'list', items: string },
      labels: { is: 'map', values: string },
      whole: { is: 'struct', struct: () => structOf('whole', { a: string, b: string }), atomic: true },
      parts: { is: 'list', list: 'map', keys: ['name'], items: struct(part) },
    }),
  ),
  status: struct(structOf('status', { phase: string, seen: integer })),
});

/** A CustomResource without a schema: everything is deduced from the values. */
export const shapeless: Struct = structOf('Shapeless', {}, true);
