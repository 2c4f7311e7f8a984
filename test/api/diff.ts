/** Paths where two values differ, at most `max`, as `path: theirs | ours`. */
export function differences(theirs: unknown, ours: unknown, max = 6): string[] {
  const out: string[] = [];
  walk('', theirs, ours, out, max);
  return out;
}
function walk(path: string, a: unknown, b: unknown, out: string[], max: number): void {
  if (out.length >= max || a === b) return;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) walk(`${path}[${i}]`, a[i], b[i], out, max);
  } else if (isMap(a) && isMap(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) walk(`${path}.${k}`, a[k], b[k], out, max);
  } else if (JSON.stringify(a) !== JSON.stringify(b)) out.push(`${path}: ${short(a)} | ${short(b)}`);
}
const isMap = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const MAX_SHOWN = 300;
const short = (v: unknown) => {
  const t = v === undefined ? '-' : JSON.stringify(v);
  return t.length > MAX_SHOWN ? `${t.slice(0, MAX_SHOWN)}...` : t;
};
