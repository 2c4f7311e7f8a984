import { execFileSync } from 'node:child_process';

/** The Kubernetes release whose facts are generated; the staging modules carry the same minor and patch under v0. */
export const KUBERNETES = '1.37.1';
export const MINOR = '1.37';

const staging = KUBERNETES.replace(/^1/, '0');
const MODULES = {
  kubernetes: `k8s.io/kubernetes@v${KUBERNETES}`,
  api: `k8s.io/api@v${staging}`,
  apimachinery: `k8s.io/apimachinery@v${staging}`,
  apiextensions: `k8s.io/apiextensions-apiserver@v${staging}`,
  aggregator: `k8s.io/kube-aggregator@v${staging}`,
} as const;

export type Modules = Record<keyof typeof MODULES, string>;

/** Directories of the Go modules; null when there is no Go or a module can't be had. */
export function findModules(): Modules | null {
  try {
    const out = execFileSync('go', ['mod', 'download', '-json', ...Object.values(MODULES)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: '/',
    });
    // The output is one JSON object after another.
    const found = JSON.parse(`[${out.trim().replaceAll(/\n\}\n\{/g, '\n},\n{')}]`) as { Path: string; Dir: string }[];
    const dirs: Partial<Modules> = {};
    for (const [name, spec] of Object.entries(MODULES)) {
      const dir = found.find((m) => spec.startsWith(`${m.Path}@`))?.Dir;
      if (!dir) return null;
      dirs[name as keyof Modules] = dir;
    }
    return dirs as Modules;
  } catch {
    return null;
  }
}
