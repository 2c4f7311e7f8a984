import type { Json, JsonObject } from '../../kube/meta/json.ts';

/** Tries to find a smaller body that still makes the difference: takes members and items away one by one, until none can go. */
export async function shrink(
  body: JsonObject,
  differs: (b: JsonObject) => Promise<boolean>,
  budget: number,
): Promise<JsonObject> {
  let best = body;
  let left = budget;
  for (let again = true; again && left > 0; ) {
    again = false;
    for (const path of paths(best)) {
      if (left-- <= 0) break;
      const smaller = structuredClone(best);
      remove(smaller, path);
      if (await differs(smaller)) {
        best = smaller;
        again = true;
        break;
      }
    }
  }
  return best;
}
type Path = readonly (string | number)[];
/** Every place of a value, outer ones first: what goes early takes much along. */
function paths(v: Json | undefined, at: Path = []): Path[] {
  if (typeof v !== 'object' || v === null) return [];
  const keys = Array.isArray(v) ? v.map((_, i) => i) : Object.keys(v);
  const here = keys.map((k) => [...at, k]);
  const deeper = keys.flatMap((k) => paths((v as Record<string | number, Json>)[k], [...at, k]));
  return [...here, ...deeper].filter((p) => p.join('.') !== 'metadata.name' && p.join('.') !== 'metadata');
}
function remove(o: JsonObject, path: Path): void {
  let v: Json = o;
  for (const k of path.slice(0, -1)) v = (v as Record<string | number, Json>)[k] as Json;
  const last = path[path.length - 1];
  if (Array.isArray(v)) v.splice(Number(last), 1);
  else if (typeof v === 'object' && v !== null && last !== undefined) delete v[last];
}
