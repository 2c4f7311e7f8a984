import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { podSecurity } from './podsecurity.ts';
import { policyOfLabels, print } from './podsecuritypolicy.ts';
import { admitWith, type World } from './testing.ts';

const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;
const world = (labels: Record<string, string>): World => ({ 'namespaces/ns': { metadata: { labels } } });
const pod = (spec: JsonObject, annotations: Record<string, string> = {}): JsonObject => ({
  metadata: { name: 'p', annotations },
  spec: { containers: [{ name: 'a', image: 'i' }], ...spec },
});
const container = (securityContext: JsonObject, more: JsonObject = {}): JsonObject => ({
  containers: [{ name: 'a', securityContext, ...more }],
});
const strict: JsonObject = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [{ name: 'a', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
};

const cases: { name: string; level: string; pod: JsonObject; finding: string }[] = [
  { name: 'a plain pod', level: 'baseline', pod: pod({}), finding: '' },
  {
    name: 'host namespaces',
    level: 'baseline',
    pod: pod({ hostNetwork: true, hostPID: true }),
    finding: 'host namespaces (hostNetwork=true, hostPID=true)',
  },
  {
    name: 'hostPath',
    level: 'baseline',
    pod: pod({ volumes: [{ name: 'v', hostPath: {} }] }),
    finding: 'hostPath volumes (volume "v")',
  },
  {
    name: 'host ports of two containers',
    level: 'baseline',
    pod: pod({
      containers: [
        { name: 'a', ports: [{ hostPort: 80 }] },
        { name: 'b', ports: [{ hostPort: 443 }] },
      ],
    }),
    finding: 'hostPort (containers "a", "b" use hostPorts 443, 80)',
  },
  {
    name: 'privileged',
    level: 'baseline',
    pod: pod(container({ privileged: true })),
    finding: 'privileged (container "a" must not set securityContext.privileged=true)',
  },
  {
    name: 'capabilities',
    level: 'baseline',
    pod: pod(container({ capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } })),
    finding:
      'non-default capabilities (container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
  },
  {
    name: 'a probe host',
    level: 'baseline',
    pod: pod(container({}, { livenessProbe: { httpGet: { host: '1.2.3.4' } } })),
    finding: 'probe or lifecycle host (container "a" uses probe or lifecycle host "1.2.3.4")',
  },
  {
    name: 'a probe host before it was a rule',
    level: 'baseline v1.33',
    pod: pod(container({}, { livenessProbe: { httpGet: { host: '1.2.3.4' } } })),
    finding: '',
  },
  {
    name: 'procMount',
    level: 'baseline',
    pod: pod(container({ procMount: 'Unmasked' })),
    finding: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  },
  {
    name: 'procMount in a user namespace',
    level: 'baseline',
    pod: pod({ hostUsers: false, ...container({ procMount: 'Unmasked' }) }),
    finding: '',
  },
  {
    name: 'SELinux options',
    level: 'baseline',
    pod: pod({ securityContext: { seLinuxOptions: { type: 'x', role: 'r' } } }),
    finding: 'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "x"; role may not be set)',
  },
  {
    name: 'sysctls',
    level: 'baseline v1.36',
    pod: pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_notsent_lowat' }, { name: 'net.ipv4.tcp_rmem' }] } }),
    finding: 'forbidden sysctls (net.ipv4.tcp_notsent_lowat)',
  },
  {
    name: 'sysctls of today',
    level: 'baseline',
    pod: pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_notsent_lowat' }] } }),
    finding: '',
  },
  {
    name: 'an AppArmor annotation',
    level: 'baseline',
    pod: pod({}, { 'container.apparmor.security.beta.kubernetes.io/a': 'unconfined' }),
    finding:
      'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/a="unconfined"")',
  },
  {
    name: 'an unconfined seccomp profile',
    level: 'baseline',
    pod: pod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    finding: 'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  },
  { name: 'a hardened pod', level: 'restricted', pod: pod(strict), finding: '' },
  {
    name: 'a plain pod, restricted',
    level: 'restricted',
    pod: pod({}),
    finding:
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  },
  {
    name: 'root',
    level: 'restricted',
    pod: pod({
      ...strict,
      securityContext: { runAsNonRoot: true, runAsUser: 0, seccompProfile: { type: 'Localhost' } },
    }),
    finding: 'runAsUser=0 (pod must not set runAsUser=0)',
  },
  {
    name: 'restricted volumes',
    level: 'restricted',
    pod: pod({
      ...strict,
      volumes: [
        { name: 'n', nfs: {} },
        { name: 'h', hostPath: {} },
      ],
    }),
    finding: 'restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs")',
  },
  {
    name: 'Windows pods',
    level: 'restricted',
    pod: pod({ os: { name: 'windows' }, securityContext: { runAsNonRoot: true } }),
    finding: '',
  },
];
for (const c of cases) {
  test(`pod security ${c.level}: ${c.name}`, async () => {
    const [level = '', version = 'latest'] = c.level.split(' ');
    const labels = { [label('enforce')]: level, [label('enforce-version')]: version };
    const { error, annotations } = await admitWith(
      [podSecurity],
      { what: 'create pods ns', object: c.pod },
      world(labels),
    );
    const said = `pods "p" is forbidden: violates PodSecurity "${level}:${version}": ${c.finding}`;
    assert.equal(error, c.finding === '' ? '' : said);
    assert.equal(annotations[label('enforce-policy')], `${level}:${version}`);
  });
}

test('controllers are warned about, pods are refused, and audit is noted', async () => {
  const labels = { [label('enforce')]: 'baseline', [label('audit')]: 'restricted' };
  const object = { metadata: { name: 'd' }, spec: { template: pod({ hostIPC: true }) } };
  const d = await admitWith([podSecurity], { what: 'create deployments.apps ns', object }, world(labels));
  assert.equal(d.error, '');
  assert.deepEqual(d.warnings, ['would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)']);
  assert.match(
    d.annotations[label('audit-violations')] ?? '',
    /^would violate PodSecurity "restricted:latest": host namespaces/,
  );
});

test('an update counts only when an image changes', async () => {
  const labels = { [label('enforce')]: 'baseline' };
  const bad = pod({ hostPID: true });
  const update = (old: JsonObject) =>
    admitWith([podSecurity], { what: 'update pods ns/p', object: bad, old }, world(labels));
  assert.equal((await update(bad)).error, '');
  assert.match((await update(pod({ containers: [{ name: 'a', image: 'older' }] }))).error, /violates PodSecurity/);
});

test('a namespace with unreadable labels is refused', async () => {
  const object = { metadata: { name: 'ns', labels: { [label('enforce')]: 'strict' } } };
  const { error } = await admitWith([podSecurity], { what: 'create namespaces', object });
  assert.equal(
    error,
    'Namespace "ns" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
  );
});

test('a stricter namespace tells which of its pods would not pass', async () => {
  const pods = ['b', 'a', 'c'].map((name) => JSON.stringify({ metadata: { name }, spec: { hostPID: true } }));
  const object = { metadata: { name: 'ns', labels: { [label('enforce')]: 'baseline' } } };
  const out = await admitWith(
    [podSecurity],
    { what: 'update namespaces /ns', object, old: { metadata: { name: 'ns' } } },
    {
      'pods/ns/': JSON.parse(pods[0] ?? ''),
    },
  );
  assert.deepEqual(out.warnings, [
    'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
    'b: host namespaces',
  ]);
});

test('labels give a policy; warn follows a stricter enforce', () => {
  const p = policyOfLabels({ [label('enforce')]: 'restricted', [label('enforce-version')]: 'v1.30' });
  assert.deepEqual(
    [print(p.enforce), print(p.audit), print(p.warn)],
    ['restricted:v1.30', 'privileged:latest', 'restricted:v1.30'],
  );
  const broken = policyOfLabels({ [label('enforce')]: 'x', [label('warn-version')]: '1.30' });
  assert.deepEqual([print(broken.enforce), print(broken.warn)], ['restricted:latest', 'privileged:latest']);
  assert.equal(broken.issues.length, 2);
});
