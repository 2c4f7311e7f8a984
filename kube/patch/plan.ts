import type { Json } from '../meta/json.ts';
import type { Field, ListType, MapType, StringType, Struct, StructType, Type } from '../schema/schema.ts';

/**
 * How server-side apply sees a type: an atom of structured-merge-diff, made once for each Type or Struct and then only looked at. A value
 * of several atoms (JSON of any shape) has them all.
 */
export interface Plan {
  scalar?: Scalar;
  list?: ListPlan;
  map?: MapPlan;
  /** More than one of the three: the value decides. */
  deduced: boolean;
  /** Of a kind's struct: values are taken as they stand. */
  raw?: boolean;
}
export type Scalar = 'numeric' | 'string' | 'boolean' | 'untyped';

export interface ListPlan {
  items: () => Plan;
  /** One owner for the whole list; otherwise it is a map by `keys`, or a set when there are none. */
  atomic: boolean;
  keys: readonly string[];
  /** By key field: what a missing one stands for. */
  keyDefault: (key: string) => Json | undefined;
  /** With one key: how each item's path element begins. */
  keyPrefix: string;
}

export interface MapPlan {
  fields: ReadonlyMap<string, FieldPlan>;
  /** The fields by path element: `f:name`. */
  elements: ReadonlyMap<string, FieldPlan>;
  /** The fields in the order of their names. */
  sorted: readonly FieldPlan[];
  /** The plan of keys that aren't fields; null: there may be none. */
  element: (() => Plan) | null;
  atomic: boolean;
  /**
   * The struct has a Go struct: upstream sees its values through that, where an empty field with omitempty is absent and one without it is
   * always there. CustomResources are seen as they were sent.
   */
  native: boolean;
}

export interface FieldPlan {
  name: string;
  /** `f:name`. */
  element: string;
  plan: () => Plan;
  /** What Go encodes for an absent field; undefined when it leaves it out. */
  zero: Json | undefined;
  /** Go leaves the zero value out. */
  dropsZero: boolean;
  default: Json | undefined;
}

const NO_FIELDS: ReadonlyMap<string, FieldPlan> = new Map();
const none = () => undefined;

const ATOMIC: Plan = { deduced: true };
ATOMIC.scalar = 'untyped';
ATOMIC.list = { items: () => ATOMIC, atomic: true, keys: [], keyDefault: none, keyPrefix: '' };
ATOMIC.map = { fields: NO_FIELDS, elements: NO_FIELDS, sorted: [], element: () => ATOMIC, atomic: true, native: false };

/** JSON of any shape: objects are granular, lists and scalars have one owner. */
const DEDUCED: Plan = { deduced: true };
DEDUCED.scalar = 'untyped';
DEDUCED.list = { items: () => ATOMIC, atomic: true, keys: [], keyDefault: none, keyPrefix: '' };
DEDUCED.map = {
  fields: NO_FIELDS,
  elements: NO_FIELDS,
  sorted: [],
  element: () => DEDUCED,
  atomic: false,
  native: false,
};

const UNTYPED: Plan = { scalar: 'untyped', deduced: false };
const STRING: Plan = { scalar: 'string', deduced: false };
const NUMERIC: Plan = { scalar: 'numeric', deduced: false };
const BOOLEAN: Plan = { scalar: 'boolean', deduced: false };

/** Plans made so far: of Go's view of objects and of objects as they were sent. */
interface Made {
  byType: WeakMap<Type, Plan>;
  byStruct: WeakMap<Struct, Plan>;
  goView: boolean;
}
const VIEWED: Made = { byType: new WeakMap(), byStruct: new WeakMap(), goView: true };
const RAW: Made = { byType: new WeakMap(), byStruct: new WeakMap(), goView: false };

/** The plan of a kind's struct, its values seen as Go structs hold them. */
export function planOfStruct(struct: Struct): Plan {
  return structOf(VIEWED, struct);
}

/** The plan of a kind's struct for values that are taken as they stand: applied configurations, and what `goView` made. */
export function rawPlanOfStruct(struct: Struct): Plan {
  return structOf(RAW, struct);
}

function structOf(made: Made, struct: Struct): Plan {
  let plan = made.byStruct.get(struct);
  if (plan === undefined) {
    plan = { map: structPlan(made, struct), deduced: false, raw: !made.goView };
    made.byStruct.set(struct, plan);
  }
  return plan;
}

function planOf(made: Made, type: Type): Plan {
  let plan = made.byType.get(type);
  if (plan === undefined) {
    plan = compile(made, type);
    made.byType.set(type, plan);
  }
  return plan;
}

function compile(made: Made, type: Type): Plan {
  switch (type.is) {
    case 'string':
      return stringPlan(type);
    case 'integer':
    case 'number':
      return NUMERIC;
    case 'boolean':
      return BOOLEAN;
    case 'any':
      // RawExtension has one owner; other JSON is granular.
      return type.embedded === true ? ATOMIC : DEDUCED;
    case 'list':
      return { list: listPlan(made, type), deduced: false };
    case 'map':
      return { map: mapPlan(made, type), deduced: false };
    case 'struct':
      return structTypePlan(made, type);
  }
}

function stringPlan(type: StringType): Plan {
  return type.format === undefined || type.format === 'byte' ? STRING : UNTYPED;
}

function structTypePlan(made: Made, type: StructType): Plan {
  const plan = structOf(made, type.struct());
  return type.atomic === true && plan.map !== undefined ? { map: { ...plan.map, atomic: true }, deduced: false } : plan;
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function structPlan(made: Made, struct: Struct): MapPlan {
  const native = struct.numbers.size > 0;
  const fields = new Map<string, FieldPlan>();
  for (const field of struct.fields.values()) fields.set(field.name, fieldPlan(made, field, native));
  const elements = new Map([...fields.values()].map((f) => [f.element, f]));
  const sorted = [...fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    fields,
    elements,
    sorted,
    element: struct.open === true ? () => DEDUCED : null,
    atomic: false,
    native: native && made.goView,
  };
}

function fieldPlan(made: Made, field: Field, native: boolean): FieldPlan {
  const { type } = field;
  const always = native && field.always === true;
  const zero = always ? (field.nullable === true ? null : zeroOf(type)) : undefined;
  return {
    name: field.name,
    element: `f:${field.name}`,
    plan: lazily(() => planOf(made, type)),
    zero,
    dropsZero: native && !always && field.nullable !== true,
    default: field.default ?? (typeof zero === 'object' ? undefined : zero), // OpenAPI v3 gives Go's zero as the default
  };
}

const ZERO_OF_FORMAT: Record<string, Json> = {
  time: null,
  'micro-time': null,
  duration: '0s',
  quantity: '0',
  'int-or-string': 0,
  byte: null,
};

const EMPTY_STRUCT: Json = Object.freeze({});

/** What Go's encoder writes for a field that nobody set. */
function zeroOf(type: Type): Json {
  switch (type.is) {
    case 'string':
      return type.format === undefined ? '' : (ZERO_OF_FORMAT[type.format] ?? null);
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'struct':
      return EMPTY_STRUCT;
    default:
      return null;
  }
}

/** A list's topology: its own, else what its patch strategy implies (a merge key makes a map, merge alone a set). */
function listPlan(made: Made, type: ListType): ListPlan {
  const merges = type.patch === 'merge' || type.patch === 'merge,retainKeys';
  const topology = type.list ?? (merges ? (type.mergeKey === undefined ? 'set' : 'map') : 'atomic');
  const items = lazily(() => planOf(made, type.items));
  const keys = topology === 'map' ? (type.keys ?? (type.mergeKey === undefined ? [] : [type.mergeKey])) : [];
  return {
    items,
    atomic: topology === 'atomic',
    keys,
    keyDefault: (key) => items().map?.fields.get(key)?.default,
    keyPrefix: keys.length === 1 ? `k:{${JSON.stringify(keys[0])}:` : '',
  };
}

function mapPlan(made: Made, type: MapType): MapPlan {
  return {
    fields: NO_FIELDS,
    elements: NO_FIELDS,
    sorted: [],
    element: lazily(() => planOf(made, type.values)),
    atomic: type.atomic === true,
    native: false,
  };
}
