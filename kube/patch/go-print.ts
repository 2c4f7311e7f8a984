import { isObject, type Json } from '../meta/json.ts';

// Upstream's error texts print values with Go's fmt; these functions print the same text.

/** What Go's `%v` prints of a JSON value: `map[a:1 b:[x y]]`, `<nil>` for null. */
export function printGo(v: Json | undefined): string {
  if (v === null || v === undefined) return '<nil>';
  if (typeof v === 'string') return v;
  if (typeof v === 'number') return printFloat(v);
  if (Array.isArray(v)) return `[${v.map(printGo).join(' ')}]`;
  if (isObject(v)) {
    const parts: string[] = [];
    for (const k of Object.keys(v).sort()) if (v[k] !== undefined) parts.push(`${k}:${printGo(v[k])}`);
    return `map[${parts.join(' ')}]`;
  }
  return String(v);
}

/** A number as Go's `%v` prints an int64 or a float64. */
export function printFloat(n: number): string {
  const size = Math.abs(n);
  if (Number.isInteger(n) && size < 1e21) return String(n === 0 ? 0 : n);
  // Go goes over to exponents below 1e-4, JavaScript below 1e-6; Go's exponent has two digits at least.
  if (size >= 1e-4 && size < 1e21) return String(n);
  return n.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** The Go type that upstream's decoder gives a JSON value, as `%s` of reflect.TypeOf prints it. */
export function goType(v: Json | undefined): string {
  if (v === null || v === undefined) return '%!s(<nil>)';
  if (Array.isArray(v)) return '[]interface {}';
  if (typeof v === 'number') return Number.isInteger(v) ? 'int64' : 'float64';
  if (typeof v === 'bigint') return 'int64';
  if (typeof v === 'boolean') return 'bool';
  return typeof v === 'string' ? 'string' : 'map[string]interface {}';
}
