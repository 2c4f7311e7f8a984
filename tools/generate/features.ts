import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Modules } from './modules.ts';
import { MINOR } from './modules.ts';

/** Tells whether a feature gate is on by default in the release; undefined for gates that aren't kube-apiserver's (any more). */
export function readFeatures(modules: Modules): (feature: string) => boolean | undefined {
  const text = readFileSync(join(modules.kubernetes, 'pkg/features/kube_features.go'), 'utf8');
  const on = new Map<string, boolean>();
  const minor = Number(MINOR.split('.')[1]);
  for (const m of text.matchAll(/^\t(\w+): \{\n((?:\t\t.*\n)+?)\t\},/gm)) {
    for (const v of (m[2] ?? '').matchAll(/MustParse\("1\.(\d+)"\), Default: (true|false)/g)) {
      if (Number(v[1]) <= minor) on.set(m[1] ?? '', v[2] === 'true');
    }
  }
  return (feature) => on.get(feature);
}
