import * as issues from '../meta/issues.ts';
import { equalJson, isObject, type Json, type JsonObject } from '../meta/json.ts';
import type { Issue } from '../meta/status.ts';
import { customFormat } from './crd-formats.ts';
import { type CustomSchema, isIntOrString, memberSchema } from './crd-schema.ts';

// Validation of CustomResources by their schema, with the texts of kube-openapi pkg/validation as apiextensions turns them into field
// errors. CEL rules (x-kubernetes-validations) are kube/cel's. On update what hasn't changed isn't validated again (ratcheting).

interface Result {
  issues: Issue[];
  /** How much of the schema was looked at: anyOf and oneOf report the failure that got furthest. */
  weight: number;
}

/** Checks a value by its schema; `root` is the path of the whole (`status` for the status subresource), `old` the stored value on update. */
export function validateCustom(schema: CustomSchema, value: Json, old: Json | undefined, root = ''): Issue[] {
  const check = new Check(root);
  return check.value(schema, value, old, '').issues;
}

class Check {
  private readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  value(schema: CustomSchema, value: Json, old: Json | undefined, path: string): Result {
    const out: Result = { issues: [], weight: 0 };
    if (old !== undefined && unchanged(schema, value, old)) return out;
    const wrong = this.type(schema, value, path);
    if (wrong) out.issues.push(wrong);
    else out.weight++;
    if (value !== null) {
      this.combinations(schema, value, old, path, out);
      if (typeof value === 'string') this.text(schema, value, path, out);
      else if (typeof value === 'number' || typeof value === 'bigint') this.number(schema, value, path, out);
      else if (Array.isArray(value)) this.list(schema, value, old, path, out);
    }
    this.oneOfValues(schema, value, path, out);
    if (isObject(value)) this.object(schema, value, old, path, out);
    return out;
  }

  private at(path: string): string {
    const own = path.replace(/^\./, '');
    if (own === '') return this.root === '' ? '<nil>' : this.root;
    return this.root === '' ? own : `${this.root}.${own}`;
  }
  /** Upstream's general failure: the value, and a sentence about the path in the body. */
  private fail(path: string, value: Json, text: string, out: Result): void {
    out.issues.push(issues.invalid(this.at(path), value, `${path} in body ${text}`));
  }
  /** Failures that upstream reports without a field. */
  private failWhole(text: string, out: Result): void {
    out.issues.push(issues.invalid(this.root === '' ? '<nil>' : this.root, '', text));
  }

  private type(schema: CustomSchema, value: Json, path: string): Issue | null {
    const types = isIntOrString(schema) ? ['integer', 'string'] : schema.type ? [schema.type] : [];
    const format = knownFormat(schema);
    if (types.length === 0 && format === '') return null;
    const bad = (want: string, got: string) =>
      issues.typeInvalid(this.at(path), got, `${path} in body must be of type ${want}: ${issues.quote(got)}`);
    if (value === null) return types.length === 0 || schema.nullable ? null : bad(types.join(','), 'null');
    const [got, gotFormat] = jsonType(value);
    const fits = types.includes(got) || (got === 'integer' && types.includes('number'));
    if (fits) return null;
    if (format !== '' && got !== 'string' && got !== 'array' && format !== gotFormat) return bad(format, gotFormat);
    if (
      format !== '' &&
      !types.includes('number') &&
      !types.includes('integer') &&
      (got === 'string' || got === 'array')
    ) {
      return null;
    }
    return bad(types.join(','), got);
  }

  private text(schema: CustomSchema, value: string, path: string, out: Result): void {
    const { maxLength, minLength, pattern } = schema;
    const length = maxLength !== undefined || minLength !== undefined ? [...value].length : 0;
    if (maxLength !== undefined && length > maxLength) out.issues.push(issues.tooLong(this.at(path), maxLength));
    else if (minLength !== undefined && length < minLength) {
      this.fail(path, value, `should be at least ${minLength} chars long`, out);
    } else if (pattern && !patternOf(pattern)?.test(value)) {
      this.fail(path, value, `should match '${pattern}'`, out);
    } else out.weight++;
    const format = knownFormat(schema);
    const check = format === '' ? undefined : customFormat(format);
    if (check && !check(value)) {
      out.issues.push(
        issues.typeInvalid(this.at(path), value, `${path} in body must be of type ${format}: ${issues.quote(value)}`),
      );
    }
  }

  private number(schema: CustomSchema, value: number | bigint, path: string, out: Result): void {
    const before = out.issues.length;
    this.range(schema, value, path, out);
    // Limits of whole numbers are whole numbers upstream, whatever the schema says.
    const whole = typeof value === 'bigint' || Number.isInteger(value);
    const limit = (n: number | undefined) => (n === undefined || !whole ? n : Math.trunc(n));
    const [minimum, maximum, factor] = [limit(schema.minimum), limit(schema.maximum), limit(schema.multipleOf)];
    if (factor !== undefined && factor <= 0) {
      const text = `factor MultipleOf declared for ${path} must be positive: ${factor}`;
      out.issues.push(issues.invalid(this.at(path), factor, text));
    } else if (factor !== undefined && !isMultiple(value, factor)) {
      this.fail(path, value, `should be a multiple of ${factor}`, out);
    }
    if (minimum !== undefined && (value < minimum || (schema.exclusiveMinimum && Number(value) === minimum))) {
      this.fail(path, value, `should be greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`, out);
    }
    if (maximum !== undefined && (value > maximum || (schema.exclusiveMaximum && Number(value) === maximum))) {
      this.fail(path, value, `should be less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`, out);
    }
    if (out.issues.length === before) out.weight++;
  }

  /** Whether the value fits the integer format. */
  private range(schema: CustomSchema, value: number | bigint, path: string, out: Result): void {
    if (schema.type !== 'integer') return;
    const format = knownFormat(schema);
    const whole = typeof value === 'bigint' || Number.isInteger(value);
    if (whole && (format !== 'int32' || (value <= 2147483647 && value >= -2147483648))) return;
    const name = format === '' ? '(default format)' : `with format ${format}`;
    this.failWhole(`Checked value must be of type integer ${name} in ${path}`, out);
  }

  private oneOfValues(schema: CustomSchema, value: Json, path: string, out: Result): void {
    if (!schema.enum || schema.enum.length === 0) return;
    if (schema.enum.some((e) => equalJson(e, value)) && value !== null) return;
    const texts = schema.enum.map((e) => (typeof e === 'string' ? e : issues.goJson(e)));
    out.issues.push(issues.notSupported(this.at(path), value, texts));
  }

  private list(schema: CustomSchema, value: Json[], old: Json | undefined, path: string, out: Result): void {
    const { items, minItems, maxItems } = schema;
    if (items) {
      for (const [i, item] of value.entries()) {
        merge(out, this.value(items, item, correlated(schema, item, old), `${path}[${i}]`));
      }
    }
    if (minItems !== undefined && value.length < minItems) {
      this.fail(path, value.length, `should have at least ${minItems} items`, out);
    }
    if (maxItems !== undefined && value.length > maxItems) {
      out.issues.push(issues.tooMany(this.at(path), value.length, maxItems));
    }
    if (schema.uniqueItems && value.some((v, i) => value.slice(0, i).some((u) => equalJson(u, v)))) {
      this.fail(path, '', "shouldn't contain duplicates", out);
    }
    out.weight++;
  }

  private object(schema: CustomSchema, value: JsonObject, old: Json | undefined, path: string, out: Result): void {
    const before = isObject(old) ? old : undefined;
    const size =
      schema.minProperties !== undefined || schema.maxProperties !== undefined ? Object.keys(value).length : 0;
    if (schema.minProperties !== undefined && size < schema.minProperties) {
      this.fail(path, size, `should have at least ${schema.minProperties} properties`, out);
    }
    if (schema.maxProperties !== undefined && size > schema.maxProperties) {
      out.issues.push(issues.tooMany(this.at(path), size, schema.maxProperties));
    }
    for (const name in value) {
      const given = value[name];
      if (given === undefined) continue;
      const own = memberSchema(schema, name);
      const regular = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      if (own) {
        // Upstream puts the dot before an additional property even at the root.
        const at = path === '' && regular ? name : `${path}.${name}`;
        merge(out, this.value(own, given, before?.[name], at));
      } else if (schema.additionalProperties === false) {
        this.fail(`${path}.${name}`, name, 'is a forbidden property', out);
      }
    }
    for (const name of schema.required ?? []) {
      if (value[name] === undefined) out.issues.push(issues.required(this.at(`${path}.${name}`)));
    }
    out.weight++;
  }

  private combinations(schema: CustomSchema, value: Json, old: Json | undefined, path: string, out: Result): void {
    const name = issues.quote(path);
    if (schema.anyOf && schema.anyOf.length > 0) {
      const { passed, best } = this.alternatives(schema.anyOf, value, old, path);
      if (passed === 0) {
        this.failWhole(`${name} must validate at least one schema (anyOf)`, out);
        merge(out, best);
      }
    }
    if (schema.oneOf && schema.oneOf.length > 0) {
      const { passed, best } = this.alternatives(schema.oneOf, value, old, path);
      if (passed !== 1) {
        const found = passed === 0 ? 'Found none valid' : `Found ${passed} valid alternatives`;
        this.failWhole(`${name} must validate one and only one schema (oneOf). ${found}`, out);
        if (passed === 0) merge(out, best);
      }
    }
    if (schema.allOf && schema.allOf.length > 0) {
      let passed = 0;
      for (const part of schema.allOf) {
        const r = this.value(part, value, old, path);
        if (r.issues.length === 0) passed++;
        merge(out, r);
      }
      if (passed !== schema.allOf.length) {
        this.failWhole(`${name} must validate all the schemas (allOf)${passed === 0 ? '. None validated' : ''}`, out);
      }
    }
    if (schema.not && this.value(schema.not, value, undefined, path).issues.length === 0) {
      this.failWhole(`${name} must not validate the schema (not)`, out);
    }
  }

  /** How many alternatives the value fits, and the failure that got furthest. */
  private alternatives(schemas: CustomSchema[], value: Json, old: Json | undefined, path: string) {
    let passed = 0;
    let best: Result = { issues: [], weight: -1 };
    for (const s of schemas) {
      const r = this.value(s, value, old, path);
      if (r.issues.length === 0) passed++;
      else if (r.weight > best.weight) best = r;
    }
    return { passed, best };
  }
}

/** As upstream: factors under 1 are inverted first, which keeps 0.1 exact enough. */
function isMultiple(value: number | bigint, factor: number): boolean {
  if (typeof value === 'bigint') return value % BigInt(factor) === 0n;
  return Number.isInteger(factor < 1 ? (1 / factor) * value : value / factor);
}

function merge(into: Result, from: Result): void {
  into.issues.push(...from.issues);
  into.weight += Math.max(from.weight, 0);
}

/** JSON type and Go's format of a value. */
function jsonType(value: Json): [type: string, format: string] {
  if (Array.isArray(value)) return ['array', ''];
  if (isObject(value)) return ['object', ''];
  if (typeof value === 'string') return ['string', ''];
  if (typeof value === 'boolean') return ['boolean', ''];
  return typeof value === 'bigint' || Number.isInteger(value) ? ['integer', 'int64'] : ['number', 'float64'];
}

/** The format as far as upstream knows it for the type; others are ignored. */
function knownFormat(schema: CustomSchema): string {
  const { type = '', format = '' } = schema;
  if (format === '') return '';
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : '';
  if (type === 'number') return format === 'float' || format === 'double' ? format : '';
  return (type === '' || type === 'string') && customFormat(format) ? format : '';
}

/** The old item that an item of a keyed list stands for; items of other lists have none. */
function correlated(schema: CustomSchema, item: Json, old: Json | undefined): Json | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old) || !isObject(item)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return old.find((o) => isObject(o) && keys.every((k) => equalJson(o[k] ?? null, item[k] ?? null)));
}

/** Equality as ratcheting sees it: the order of keyed lists doesn't matter. */
function unchanged(schema: CustomSchema | undefined, a: Json, b: Json): boolean {
  if (a === b || !schema) return equalJson(a, b);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    const keyed = schema['x-kubernetes-list-type'] === 'map';
    return a.every((item, i) => {
      const other = keyed ? correlated(schema, item, b) : b[i];
      return other !== undefined && unchanged(schema.items, item, other);
    });
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const name in b) if (b[name] !== undefined && a[name] === undefined) return false;
  for (const name in a) {
    const [x, y] = [a[name], b[name]];
    if (x !== undefined && (y === undefined || !unchanged(memberSchema(schema, name), x, y))) return false;
  }
  return true;
}

/** Compiled patterns; cleared when full. Null: JavaScript can't read the pattern (RE2 syntax), which then matches nothing. */
const PATTERNS_MAX = 1024;
const patterns = new Map<string, RegExp | null>();
function patternOf(source: string): RegExp | null {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  if (patterns.size >= PATTERNS_MAX) patterns.clear();
  const re = compile(source);
  patterns.set(source, re);
  return re;
}
/** RE2 allows leading flags like (?i) and \z; JavaScript has flags outside and $. */
function compile(source: string): RegExp | null {
  const flags = /^\(\?([ims]+)\)/.exec(source);
  const body = (flags ? source.slice(flags[0].length) : source)
    .replaceAll('\\z', '$')
    .replaceAll('\\A', '^')
    .replace(/\(\?P</g, '(?<')
    .replace(/\[\[:(\w+):\]/g, (m, name: string) => (POSIX[name] ? `[${POSIX[name]}` : m));
  for (const mode of ['u', '']) {
    try {
      return new RegExp(body, (flags?.[1] ?? '') + mode);
    } catch {
      // The unicode mode is stricter about escapes; the second try is not.
    }
  }
  return null;
}
const POSIX: Record<string, string> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\s',
  xdigit: '0-9A-Fa-f',
  word: '\\w',
};
