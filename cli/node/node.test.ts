import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { filled } from './assets.ts';
import { wordsOf } from './options.ts';
import { agentUnit, agentUnitName } from './service.ts';
import { agentSettings, DEFAULT_STATE } from './settings.ts';

const facts = {
  url: 'https://h/clusters/c',
  tokenFile: '/s/node-token',
  state: '/s',
  hostname: 'Box',
  addresses: ['10.0.0.2'],
};

describe('settings of an agent', () => {
  const cases: [string, Parameters<typeof agentSettings>[0], Record<string, unknown>][] = [
    ['without options: the machine as it is', {}, { node: 'box', addresses: ['10.0.0.2'], podCIDRs: undefined }],
    [
      'a name and addresses are taken as they are',
      { 'node-name': 'n1', 'node-ip': ['10.9.0.1', 'fd00::1'] },
      { node: 'n1', addresses: ['10.9.0.1', 'fd00::1'] },
    ],
    ['a state folder of its own has sockets and logs', {}, { stateDir: '/s', runDir: '/s/run', logDir: '/s/logs' }],
    ['... unless they are said', { 'run-dir': '/r', 'log-dir': '/l' }, { runDir: '/r', logDir: '/l' }],
    [
      'a runtime that is there, cgroup and name servers',
      { 'cri-socket': 'unix:///c', 'cgroup-root': '/g', 'resolv-conf': '/f' },
      { criSocket: 'unix:///c', cgroupRoot: '/g', resolvConf: '/f' },
    ],
    [
      'mirrors of one registry are tried in their order',
      { mirror: ['a=http://1', 'a=http://2'] },
      { mirrors: { a: ['http://1', 'http://2'] } },
    ],
    ['a node that shares a network serves nothing', { 'no-services': true }, { services: false, proxy: false }],
  ];
  for (const [name, options, expected] of cases)
    test(name, () => {
      const made = agentSettings(options, facts);
      for (const [k, x] of Object.entries(expected)) assert.deepEqual(made[k], x, k);
    });
  test('the usual state folder has the usual places', () => {
    const made = agentSettings({}, { ...facts, state: DEFAULT_STATE });
    assert.deepEqual([made.runDir, made.logDir], ['/run/coracle', '/var/log/pods']);
  });
  test('a mirror without a URL is refused', () => {
    assert.throws(() => agentSettings({ mirror: ['docker.io'] }, facts), /HOST=URL is needed/);
  });
});

test('options become the words that they came from', () => {
  assert.deepEqual(wordsOf({ 'node-name': 'n', 'node-ip': ['1', '2'], 'no-services': true, bridge: undefined }), [
    '--node-name',
    'n',
    '--node-ip',
    '1',
    '--node-ip',
    '2',
    '--no-services',
  ]);
});

describe('the served script', () => {
  test('has its values in their lines', () => {
    assert.equal(filled('A=\nB=\necho $A\n', { A: 'x1', B: '' }), 'A=x1\nB=\necho $A\n');
  });
  test('takes no value that a shell reads otherwise, and none that it has no line for', () => {
    assert.throws(() => filled('A=\n', { A: '$(x)' }), /no plain word/);
    assert.throws(() => filled('A=\n', { C: 'x' }), /has no C/);
  });
});

test("systemd's unit runs the agent and leaves pods running when it ends", () => {
  const text = agentUnit({ state: '/s', node: '/n/node', script: '/s/coracle-node.js', settings: '/s/agent.json' });
  assert.match(
    text,
    /^ExecStart=\/n\/node --disable-warning=ExperimentalWarning --max-semi-space-size=2 \/s\/coracle-node\.js run \/s\/agent\.json$/m,
  );
  assert.match(text, /^KillMode=process$/m);
  assert.equal(agentUnitName(DEFAULT_STATE), 'coracle-node.service');
  assert.notEqual(agentUnitName('/a'), agentUnitName('/b'));
});
