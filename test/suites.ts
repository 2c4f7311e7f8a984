import { globSync } from 'node:fs';

/** One part of `./coracle test`: commands run one after the other; their closing counts are added up. */
export interface Suite {
  name: string;
  /** What it shows, in one line. */
  about: string;
  commands: (readonly string[])[];
  /** In `npm run check`, which takes under a minute. */
  quick?: boolean;
}

const node = (...args: string[]) => ['node', '--disable-warning=ExperimentalWarning', ...args];
/** A test that hangs fails. */
const unit = (...patterns: string[]) =>
  node('--test', '--test-reporter=spec', '--test-timeout=300000', '--test-concurrency=2', ...patterns);
const glob = (...patterns: string[]) => patterns.flatMap((p) => globSync(p)).sort();

/** Tests of web-standard code: the same files run in Node, in workerd and in Deno. */
const portable = () => glob('kube/**/*.test.ts', 'api/**/*.test.ts');

export const suites = (): readonly Suite[] => [
  { name: 'format', about: 'format and lint', quick: true, commands: [['biome', 'ci', '--max-diagnostics=20', '.']] },
  {
    name: 'tidy',
    about: 'the dependency rule, lengths, banned words',
    quick: true,
    commands: [node('tools/tidy/main.ts')],
  },
  {
    name: 'types',
    about: 'the type checker, for Node and for Workers',
    quick: true,
    commands: [
      ['tsc', '-p', '.'],
      ['tsc', '-p', 'workers'],
    ],
  },
  {
    name: 'generated',
    about: 'generated data is what the generators make',
    quick: true,
    commands: [node('tools/generate/main.ts', '--check')],
  },
  {
    name: 'unit',
    about: 'unit tests in Node',
    quick: true,
    commands: [
      unit(
        ...glob(
          '{kube,api,cli,tools,workers}/**/*.test.ts',
          'node-agent/*.test.ts',
          'node-agent/{kubelet,tunnel,streaming,install,feed,front}/**/*.test.ts',
          'node-agent/network/{cni,dns}/**/*.test.ts',
          'test/codec/*.test.ts',
          'test/store/*.test.ts',
          'test/e2e/kubectl/*.test.ts',
          'test/conformance/*.test.ts',
        ),
      ),
    ],
  },
  {
    name: 'workerd',
    about: 'kube/ and api/ inside workerd, with the SQLite store in its objects',
    commands: [
      node('test/workerd/run.ts', ...portable(), ...glob('test/workerd/inside/*.test.ts')),
      unit(...glob('test/workerd/*.test.ts', 'test/archive/*.test.ts')),
    ],
  },
  { name: 'deno', about: 'kube/ and api/ inside Deno', commands: [node('test/deno/run.ts', ...portable())] },
  { name: 'deploy', about: 'wrangler builds the Worker', commands: [unit(...glob('test/deploy/*.test.ts'))] },
  {
    name: 'api',
    about: 'request and response cases, recorded from kube-apiserver, on our server',
    commands: [node('test/api/run.ts'), unit(...glob('test/api/*.test.ts'))],
  },
  {
    name: 'runtime',
    about: 'one suite on containerd and on the fake, one on nftables and on the fake; streams; risks',
    commands: [
      unit(...glob('node-agent/runtime/*.test.ts', 'node-agent/network/{*,proxy/*}.test.ts', 'test/risks/*.test.ts')),
    ],
  },
  {
    name: 'density',
    about: 'many clusters in one process: what sleeps, what each may use',
    commands: [unit(...glob('test/density/*.test.ts'))],
  },
  {
    name: 'sim',
    about: 'whole clusters on a virtual clock: loops, kubelets and people, with faults by seed',
    commands: [unit(...glob('test/sim/*.test.ts'))],
  },
  {
    name: 'torture',
    about: 'a recorded history under kill -9, lost connections, clock jumps and a full disk, checked',
    commands: [
      unit(...glob('test/torture/*.test.ts')),
      node('test/torture/main.ts', '--ops', '3000', '--kills', '4', '--seed', '1'),
    ],
  },
  {
    name: 'cluster',
    about: 'coracle serve as a service, and three instances over an S3 bucket',
    commands: [unit('--test-concurrency=1', ...glob('test/cluster/*.test.ts'))],
  },
  {
    name: 'e2e',
    about: 'kubectl against the whole system on this machine',
    commands: [unit('--test-concurrency=1', ...glob('test/e2e/*.test.ts'))],
  },
];
