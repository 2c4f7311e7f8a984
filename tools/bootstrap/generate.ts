// Writes kube/store/base/generated/rbac.ts (the bootstrap roles and bindings of a Kubernetes release, as data) and
// kube/store/base/generated/hash.ts (the content address of the base layer).
// Run: node tools/bootstrap/generate.ts [directory of bootstrappolicy's testdata]; `--check` compares instead of writing.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const VERSION = 'v1.37.1';
const OUT = join(import.meta.dirname, '../../kube/store/base/generated');

/** Roles in upstream's form; what all of them have alike (autoupdate, the bootstrapping label) is left to base.ts. */
interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}
interface Item {
  kind: string;
  metadata: { name: string; namespace?: string; labels: Record<string, string>; annotations?: Record<string, string> };
  aggregationRule?: { clusterRoleSelectors: { matchLabels: Record<string, string> }[] };
  rules?: Rule[] | null;
  subjects?: { kind: string; name: string; namespace?: string }[];
  roleRef?: { kind: string; name: string };
}

function testdata(): string {
  const text = execFileSync('go', ['mod', 'download', '-json', `k8s.io/kubernetes@${VERSION}`], { encoding: 'utf8' });
  const { Dir } = JSON.parse(text) as { Dir: string };
  return join(Dir, 'plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata');
}

const FILES = [
  'cluster-roles.yaml',
  'controller-roles.yaml',
  'cluster-role-bindings.yaml',
  'controller-role-bindings.yaml',
  'namespace-roles.yaml',
  'namespace-role-bindings.yaml',
];
const DEFAULT_LABEL = 'kubernetes.io/bootstrapping';

/** The rules that the aggregation controller would have written: of all selected roles by name, without doubles. */
function aggregate(item: Item, all: Item[], seen = new Set<string>()): Rule[] {
  if (seen.has(item.metadata.name)) return [];
  seen.add(item.metadata.name);
  if (!item.aggregationRule) return item.rules ?? [];
  const rules = new Map<string, Rule>();
  for (const { matchLabels } of item.aggregationRule.clusterRoleSelectors) {
    const selected = all.filter((o) =>
      Object.entries(matchLabels).every(([k, v]) => o.kind === 'ClusterRole' && o.metadata.labels[k] === v),
    );
    for (const other of selected.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
      for (const r of aggregate(other, all, seen)) rules.set(JSON.stringify(r), r);
    }
  }
  return [...rules.values()];
}

function generate(dir: string): string {
  const items = FILES.flatMap((f) => (parse(readFileSync(join(dir, f), 'utf8')) as { items: Item[] }).items);
  const rows = items.map((item) => {
    const { [DEFAULT_LABEL]: _, ...labels } = item.metadata.labels;
    return JSON.stringify({
      kind: item.kind,
      name: item.metadata.name,
      ...(item.metadata.namespace ? { namespace: item.metadata.namespace } : {}),
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(item.aggregationRule ? { aggregationRule: item.aggregationRule } : {}),
      ...(item.roleRef ? { role: [item.roleRef.kind, item.roleRef.name] } : { rules: aggregate(item, items) }),
      ...(item.subjects ? { subjects: item.subjects } : {}),
    });
  });
  return [
    `// Made by tools/bootstrap/generate.ts from k8s.io/kubernetes@${VERSION}. Don't edit.`,
    "import type { RbacRow } from '../rbac.ts';",
    '',
    `export const RBAC: readonly RbacRow[] = [\n${rows.join(',\n')},\n];`,
    '',
  ].join('\n');
}

const args = process.argv.slice(2);
const check = args.includes('--check');
function put(name: string, text: string): void {
  const path = join(OUT, name);
  if (!check) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} is not what tools/bootstrap/generate.ts makes`);
    process.exitCode = 1;
  }
}
put('rbac.ts', generate(args.find((a) => !a.startsWith('--')) ?? testdata()));
// After the data: the layer is built from it.
const { layerText } = await import('../../kube/store/base/base.ts');
const hash = createHash('sha256').update(layerText()).digest('hex').slice(0, 32);
put('hash.ts', `// Made by tools/bootstrap/generate.ts. Don't edit.\nexport const HASH = '${hash}';\n`);
