/** What differs from cluster to cluster and is known. */
export interface Facts {
  node: string;
  server: string;
  /** The folder that the steps write into. */
  tmp: string;
  /** The local port that a step was given. */
  port: number;
  namespace: string;
}

/** The letters of names that the server makes up. */
const MADE = '[bcdfghjklmnpqrstvwxz2456789]';
const SOME = '(\\d+[smhd]){1,2}';

/** What is another one on each cluster and at each time, and what stands there instead. In order. */
const REPLACED: readonly (readonly [pattern: RegExp, by: string])[] = [
  [/\r\n/g, '\n'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of terminals
  [/\x1b\[[0-9;?]*[A-Za-z]/g, ''],
  // A test's node has no address for cluster DNS, and says so.
  [/^.*MissingClusterDNS.*\n/gm, ''],
  // kubectl's own log, and what a network plugin of a cluster's own says of its nodes.
  [/^E\d{4} .*\.go:\d+\] .*\n/gm, ''],
  [/^ +NetworkUnavailable .*\n/gm, ''],
  [/\bNetworkUnavailable | NetworkUnavailable\b/g, ''],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UID'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC/g, 'TIME'],
  [/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, 'TIME'],
  // Addresses but for those that the steps themselves name.
  [/\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b|192\.0\.2\.(?:0|128)\b|203\.0\.113\.)(\d{1,3}\.){3}\d{1,3}\b/g, 'IP'],
  [/(127\.0\.0\.1|\[::1\]):\d{5}\b/g, '$1:PORT'],
  [/\b3[0-2]\d{3}\b/g, 'NODEPORT'],
  [/([^\s"]+@)?sha256:[0-9a-f]{64}/g, 'sha256:DIGEST'],
  [/\b[0-9a-f]{64}\b/g, 'ID'],
  [/\.[0-9a-f]{13,17}\b/g, '.EVENT'],
  [new RegExp(`\\b(kube-api-access|node-debugger-NODE|debugger)-${MADE}{5}\\b`, 'g'), '$1-RAND'],
  [new RegExp(`\\b([a-z][a-z0-9]*)-([0-9a-f]{8,10}|${MADE}{8,10})-${MADE}{5}\\b`, 'g'), '$1-HASH-RAND'],
  [/\b([a-z][a-z0-9]*)-(?=[a-z]*[0-9])[0-9b-z]{8,10}(?![a-z0-9-])/g, '$1-HASH'],
  [new RegExp(`\\b([a-z][a-z0-9-]*)-${MADE}{5}(?![a-z0-9-])`, 'g'), '$1-RAND'],
  [/\b(pod-template-hash|controller-revision-hash)([=:] ?"?)[a-z0-9-]+/g, '$1$2HASH'],
  [/(resourceVersion\\?"?: ?\\?")\d+/g, '$1RV'],
  [/\bResource Version:( +)\d+/g, 'Resource Version:$1RV'],
  [/\b\d+\.\d+\.\d+\S* \(amd64\)/g, 'KERNEL'],
  [/containerd:\/\/\d\S*/g, 'containerd://VERSION'],
  [/\bdefault-scheduler-[a-z0-9.-]+/g, 'default-scheduler-HOST'],
  [/\bv(\d+\.\d+\.\d+)\+coracle\b/g, 'v$1'],
  // What a registry says.
  [/(Failed to pull image "[^"]*": ).*/g, '$1...'],
];

const AGE = new RegExp(`^(<invalid>|${SOME})( \\(x\\d+ over ${SOME}\\))?$`);
const RESTARTS = new RegExp(`^\\d+ \\(${SOME} ago\\)`);
/** Cells beside these words are ages; beside other words with a colon they are values that somebody set. */
const AGED = /^(Age|Duration):$/;

const literal = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'g');

/** A command's output without what is another one on each cluster and at each time: names that were made up, times, addresses, ids. Columns are two spaces apart. */
export function normalise(text: string, f: Facts): string {
  const known = {
    TMP: f.tmp,
    SERVER: f.server,
    NODE: f.node,
    NAMESPACE: f.namespace,
    ...(f.port && { PORT: `${f.port}` }),
  };
  let t = text;
  for (const [by, value] of Object.entries(known)) t = t.replace(literal(value), by);
  for (const [pattern, by] of REPLACED) t = t.replace(pattern, by);
  const lines = t.split('\n').map(line);
  return (/^System Info:$/m.test(t) ? lines.flatMap(machine) : lines).join('\n');
}

const OF_MACHINE =
  /^( +(cpu|ephemeral-storage|memory|Machine ID|System UUID|Boot ID|Kernel Version|OS Image|Container Runtime Version): ).*/;
/** A line of a node's description without what another machine has more or less of. */
function machine(text: string): string[] {
  if (/^ +hugepages-/.test(text)) return [];
  return [text.replace(OF_MACHINE, '$1MACHINE').replace(/\(\d+%\)/g, '(N%)')];
}

function line(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  const cells = text
    .slice(indent.length)
    .trimEnd()
    .split(/ {2,}|\t/);
  const value = /:$/.test(cells[0] ?? '') && !AGED.test(cells[0] ?? '');
  return indent + (value ? cells : cells.map(cell)).join('  ');
}

function cell(text: string): string {
  if (AGE.test(text)) return 'AGE';
  if (/^(Debian|Ubuntu)\b/.test(text)) return 'OS';
  return text.replace(RESTARTS, 'N (AGE ago)');
}
