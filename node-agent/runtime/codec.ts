import protobuf from 'protobufjs/light.js';
import descriptor from './generated/cri.json' with { type: 'json' };

// Wrapper messages carry only presence; the interface shows them as the bare value.
const WRAPPERS: Record<string, string> = {
  Int64Value: 'value',
  UInt64Value: 'value',
  ContainerStateValue: 'state',
  PodSandboxStateValue: 'state',
};

let root: protobuf.Root | undefined;
const types = new Map<string, protobuf.Type>();

function typeOf(name: string): protobuf.Type {
  const known = types.get(name);
  if (known) return known;
  root ??= protobuf.Root.fromJSON(descriptor as protobuf.INamespace);
  const type = root.lookupType(`runtime.v1.${name}`);
  root.resolveAll();
  types.set(name, type);
  return type;
}

type Fields = Record<string, unknown>;

function scalarOut(field: protobuf.Field, v: unknown): unknown {
  const t = field.resolvedType;
  if (t instanceof protobuf.Type) return messageOut(t, v as Fields);
  if (t instanceof protobuf.Enum) return t.valuesById[v as number] ?? String(v);
  // protobufjs says [] for bytes that aren't there.
  if (field.type === 'bytes' && Array.isArray(v)) return new Uint8Array();
  return typeof v === 'object' && v !== null && 'toNumber' in v ? (v as { toNumber(): number }).toNumber() : v;
}

function messageOut(type: protobuf.Type, m: Fields): unknown {
  const wrapped = WRAPPERS[type.name];
  if (wrapped !== undefined) return scalarOut(type.fields[wrapped] as protobuf.Field, m[wrapped]);
  const out: Fields = {};
  for (const field of type.fieldsArray) {
    const v = m[field.name];
    if (field.repeated) out[field.name] = ((v ?? []) as unknown[]).map((x) => scalarOut(field, x));
    else if (field.map) out[field.name] = { ...(v as Fields) };
    else if (!(field.resolvedType instanceof protobuf.Type)) out[field.name] = scalarOut(field, v);
    else if (v !== null && v !== undefined) out[field.name] = scalarOut(field, v);
  }
  return out;
}

function scalarIn(field: protobuf.Field, v: unknown): unknown {
  const t = field.resolvedType;
  if (t instanceof protobuf.Type) return messageIn(t, v);
  if (t instanceof protobuf.Enum) {
    const n = t.values[v as string];
    if (n === undefined) throw new TypeError(`${field.fullName}: unknown ${t.name} ${JSON.stringify(v)}`);
    return n;
  }
  // protobufjs would take a text for base64; CRI's bytes fields (values of env variables) are text to us.
  if (field.type === 'bytes' && typeof v === 'string') return Buffer.from(v);
  return v;
}

function messageIn(type: protobuf.Type, value: unknown): protobuf.Message {
  const wrapped = WRAPPERS[type.name];
  const from = (wrapped === undefined ? value : { [wrapped]: value }) as Fields;
  const out: Fields = {};
  for (const field of type.fieldsArray) {
    const v = from[field.name];
    if (v === undefined || v === null) continue;
    if (field.repeated) out[field.name] = (v as unknown[]).map((x) => scalarIn(field, x));
    else if (field.map) out[field.name] = v;
    else out[field.name] = scalarIn(field, v);
  }
  return type.create(out);
}

/** The protobuf bytes of a CRI message given as messages.ts says. Throws TypeError for an enum name CRI doesn't have. */
export function encode(name: string, value: object): Buffer {
  const type = typeOf(name);
  return Buffer.from(type.encode(messageIn(type, value)).finish());
}

/** The CRI message in `bytes` as messages.ts says. Throws for bytes that aren't one. */
export function decode(name: string, bytes: Uint8Array): unknown {
  const type = typeOf(name);
  return messageOut(type, type.decode(bytes) as unknown as Fields);
}
